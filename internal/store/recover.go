package store

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// recover completes or undoes a commit that was interrupted. The lock is held,
// so whoever began it is gone.
func (d *Dir) recover() error {
	c := &commit{staging: filepath.Join(d.path, stagingName)}
	data, err := os.ReadFile(filepath.Join(c.staging, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(c.staging)
	}
	if err != nil {
		return err
	}
	if json.Unmarshal(data, c) != nil {
		// It died before the list was whole, so nothing left the directory.
		return os.RemoveAll(c.staging)
	}
	if !c.interrupted() {
		return nil
	}
	for i, path := range c.Paths {
		if !filepath.IsAbs(path) {
			c.Paths[i] = filepath.Join(d.path, path)
		}
	}
	if !c.flipped() {
		if err := d.withdraw(c.Rows); err != nil {
			return err
		}
	}
	return c.undo()
}

// withdraw takes back what the inventory says of certificates that never left
// the staging directory.
func (d *Dir) withdraw(rows [][2]string) error {
	path := filepath.Join(d.path, inventoryName)
	if _, err := os.Lstat(path); len(rows) == 0 || err != nil {
		return nil // nothing was recorded
	}
	inv, err := openInventory(path, true)
	if err != nil {
		return err
	}
	defer inv.Close()
	return inv.withdraw(rows)
}

// interrupted says whether anything of the commit is left.
func (c *commit) interrupted() bool {
	_, err := os.Lstat(filepath.Join(c.staging, switchName))
	return err == nil || len(c.staged()) > 0
}

// undo puts everything back as it was, unless the switch has been turned.
func (c *commit) undo() error {
	if c.flipped() {
		return c.finish()
	}
	for i, path := range c.Paths {
		_ = os.Remove(c.beside(i))
		_ = os.Remove(c.beside(i) + ".link")
		if !c.isOurLink(i) {
			continue
		}
		err := c.put(c.old(i), i)
		if errors.Is(err, fs.ErrNotExist) { // there was no such file
			err = os.Remove(path)
		}
		if err != nil {
			return err
		}
	}
	if err := c.syncTargets(); err != nil {
		return err
	}
	return c.clear()
}

func (c *commit) flipped() bool {
	path := filepath.Join(c.staging, switchName)
	if !atomicLinks {
		_, err := os.Lstat(path)
		return err == nil
	}
	target, err := os.Readlink(path)
	return err == nil && target == "new"
}

// isOurLink says whether file i is a link to the switch of this commit.
func (c *commit) isOurLink(i int) bool {
	target := switchTarget(c.Paths[i])
	if filepath.Base(target) != strconv.Itoa(i) {
		return false
	}
	if filepath.Dir(filepath.Dir(target)) == c.staging {
		return true
	}
	// The PKI directory was moved; files elsewhere still link to where it was.
	_, err := os.Lstat(filepath.Dir(target))
	return errors.Is(err, fs.ErrNotExist)
}

// isMissing says whether there is no file i but at most a link to the switch.
func (c *commit) isMissing(i int) bool {
	_, err := os.Lstat(c.Paths[i])
	return errors.Is(err, fs.ErrNotExist) || c.isOurLink(i)
}

// switchTarget returns the absolute path that path links to, if that is a file
// behind the switch of any commit, and nothing otherwise.
func switchTarget(path string) string {
	target, err := os.Readlink(path)
	if err != nil {
		return ""
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(path), target)
	}
	dir := filepath.Dir(target)
	if filepath.Base(dir) != switchName || filepath.Base(filepath.Dir(dir)) != stagingName {
		return ""
	}
	return target
}
