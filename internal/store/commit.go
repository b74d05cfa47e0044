package store

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// File is one file of a Commit.
type File struct {
	Path string      // where it goes; its directory must exist
	Data []byte      //
	Mode fs.FileMode // 0644 for certificates, 0600 for all that holds a key
	// Keep gives it owner and group of the file that it replaces, and its mode
	// as far as that lets nobody else write, nor others read what Mode hides.
	Keep bool
}

// A Commit works in the directory .staging of the PKI directory. There,
//
//	files.json   says where the files go
//	new/0, 1 …   are the files, old/0, 1 … links to those they replace
//	cur          is a symbolic link to old or new: the switch
//
// A file that is replaced is first made a symbolic link to cur/N, which still
// is the old file. Turning cur to new then changes all of them in one rename(2),
// so that at no moment, whatever dies, a new key stands beside an old
// certificate. After that the links become plain files one by one. Whoever next
// takes the lock completes (cur is new) or undoes (it is not) what it finds.
//
// The directory and files.json stay for the next Commit: to free what was just
// synced takes a file system longer than all else that is done here.
const (
	stagingName  = ".staging"
	manifestName = "files.json"
	switchName   = "cur"
)

// atomicLinks says whether the switch can be used: an unprivileged Windows
// user may not make symbolic links. There a Commit is complete after a crash,
// but its files change one after the other.
const atomicLinks = runtime.GOOS != "windows"

// commit is a Commit on its way; its exported fields are in files.json.
type commit struct {
	ID    string   `json:"id"`    // of this commit, in names beside the files
	Paths []string `json:"paths"` // where the files go, absolute; in files.json relative if below the PKI directory

	// Rows are the certificates in the files, which the inventory may have as
	// issued before the switch is turned: serial and key identifier.
	Rows [][2]string `json:"rows,omitempty"`

	staging string // absolute path of the .staging directory
	turned  bool   // the switch was turned by this process
}

// Commit writes all files as one step, or none: each is written to disk
// (fsync) before any takes its place, and the directories are synced after. No
// file is written through a symbolic link. Unless replace is set, none of them
// may exist. Where one file is to blame, the error is a TargetError.
//
// While the files are being written to the disk it calls meanwhile, which must
// succeed before any of them takes its place. It may be nil.
func (d *Dir) Commit(files []File, replace bool, meanwhile func() error) error {
	return d.CommitIssued(files, replace, nil, meanwhile)
}

// CommitIssued is Commit for files that hold certificates, which record
// completes in the inventory. Where it is killed in between and the files are
// never put in their places, the next Lock has the rows say reserved again.
func (d *Dir) CommitIssued(files []File, replace bool, rows []Signed, record func() error) error {
	paths, err := targets(files, replace)
	if err != nil {
		return err
	}
	c := &commit{ID: rand.Text(), Paths: paths, Rows: rowIDs(rows), staging: filepath.Join(d.path, stagingName)}
	err = c.run(files, record)
	// A network file system may report an error of what it has done.
	c.turned = c.turned || c.flipped()
	d.changed = d.changed || c.turned
	if err == nil {
		return nil
	}
	// Whatever cannot be done now, the next Lock does; until then the files
	// are all old or all new.
	undoErr := c.undo()
	switch {
	case c.turned && undoErr != nil:
		return failure.Wrap(&PendingError{undoErr}, failure.Failed, "the next pkictl command in this directory completes it",
			"%q is written, but not in its final form", files[0].Path)
	case c.turned: // undo completed it
		return nil
	}
	if undoErr == nil {
		_ = os.RemoveAll(c.staging) // leave no trace of what was not done
	}
	var known *failure.Error
	if errors.As(err, &known) { // of meanwhile: no file is to blame
		return err
	}
	i, isKnown := c.blame(err)
	path := files[i].Path
	if err = diskError(errors.Join(err, undoErr), "write %q", path); isKnown {
		err = &TargetError{path, err}
	}
	return err
}

// blame says which file an error is about. What went wrong in the staging
// directory would have for any, so there it is the first, and not known.
func (c *commit) blame(err error) (i int, isKnown bool) {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	name := ""
	switch {
	case errors.As(err, &linkErr):
		name = linkErr.New
	case errors.As(err, &pathErr):
		name = pathErr.Path
	}
	for i := range c.Paths {
		if name == c.Paths[i] || strings.HasPrefix(name, c.beside(i)) {
			return i, true
		}
	}
	return 0, false
}

// PendingError says that a Commit was made, but that links into the PKI
// directory still stand where plain files will: the next Lock completes it.
type PendingError struct {
	Err error // of the file system
}

func (e *PendingError) Error() string { return e.Err.Error() }

// Unwrap returns the error of the file system.
func (e *PendingError) Unwrap() error { return e.Err }

func (c *commit) run(files []File, meanwhile func() error) error {
	// From here on recover knows of it, before anything is recorded.
	open, err := c.begin(files[0])
	if err != nil {
		return err
	}
	other := make(chan error, 1)
	go func() {
		if meanwhile == nil {
			other <- nil
		} else {
			other <- meanwhile()
		}
	}()
	stageErr := c.stage(files, open)
	if err := errors.Join(<-other, stageErr); err != nil {
		return err
	}
	if err := c.linkOld(); err != nil {
		return err
	}
	if err := c.flip(); err != nil {
		return err
	}
	return c.finish()
}

// begin writes the list of files, and the first of them. It returns what is to
// be synced and closed.
func (c *commit) begin(file File) ([]*os.File, error) {
	changed, err := c.makeStaging()
	if err != nil {
		return nil, err
	}
	manifest, err := c.manifest()
	if err != nil {
		return nil, err
	}
	open, err := openDirs(changed...)
	if err != nil {
		return nil, err
	}
	// The list comes first: it says what recover has to look after.
	f, err := overwrite(filepath.Join(c.staging, manifestName), manifest)
	if err == nil {
		open = append(open, f)
		f, err = c.create(0, file)
	}
	if err != nil {
		return nil, errors.Join(err, syncAll(open...))
	}
	return append(open, f), nil
}

// stage writes the other new files and, beside their places, links to all of
// them: what follows needs no more space on any disk.
func (c *commit) stage(files []File, open []*os.File) error {
	var err error
	for i := 1; i < len(files) && err == nil; i++ {
		var f *os.File
		if f, err = c.create(i, files[i]); err == nil {
			open = append(open, f)
		}
	}
	err = errors.Join(err, syncAll(open...))
	for i := 0; err == nil && i < len(files); i++ {
		err = linkOrCopy(c.new(i), c.beside(i))
	}
	return err
}

// kept is what a file that replaces another one has of that one's mode.
func (f File) kept(old fs.FileInfo) fs.FileMode { return old.Mode().Perm() & (f.Mode | 0o640) }

// create makes new file i.
func (c *commit) create(i int, file File) (*os.File, error) {
	info, err := os.Lstat(c.Paths[i])
	if !file.Keep || err != nil { // there is none
		return create(c.new(i), file.Data, file.Mode)
	}
	if err := checkPlain(c.Paths[i], info); err != nil { // since it was looked at first
		return nil, err
	}
	mode := file.kept(info)
	f, err := create(c.new(i), file.Data, mode&0o700) // for the owner alone, who may change
	if err == nil {
		if err = keepOwner(f, info, mode); err != nil {
			_ = f.Close() // the first error says it
		}
	}
	return f, err
}

// manifest returns what is written to files.json.
func (c *commit) manifest() ([]byte, error) {
	list := commit{ID: c.ID, Rows: c.Rows}
	for _, path := range c.Paths {
		// Whoever completes it may find the PKI directory moved.
		if rel, err := filepath.Rel(filepath.Dir(c.staging), path); err == nil && filepath.IsLocal(rel) {
			path = rel
		}
		list.Paths = append(list.Paths, path)
	}
	return json.Marshal(list)
}

// makeStaging makes what is not there of the staging directory, and returns
// the directories whose entries have changed since they were last synced.
func (c *commit) makeStaging() ([]string, error) {
	_, err := os.Lstat(filepath.Join(c.staging, manifestName))
	made := err != nil
	for _, dir := range []string{"", "new", "old"} {
		err := os.Mkdir(filepath.Join(c.staging, dir), 0o700)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		made = made || err == nil
	}
	changed := []string{filepath.Join(c.staging, "new")}
	if made {
		changed = append(changed, c.staging, filepath.Dir(c.staging))
	}
	return changed, nil
}

// linkOld puts the switch, turned to the old files, in front of every file
// that is there.
func (c *commit) linkOld() error {
	exists := false
	for _, path := range c.Paths {
		if _, err := os.Lstat(path); err == nil {
			exists = true
		}
	}
	if !exists || !atomicLinks {
		return nil
	}
	for i, path := range c.Paths {
		if err := linkOrCopy(path, c.old(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Symlink("old", filepath.Join(c.staging, switchName)); err != nil {
		return err
	}
	if err := SyncDirs(filepath.Join(c.staging, "old"), c.staging); err != nil {
		return err
	}
	for i, path := range c.Paths {
		target, err := filepath.Rel(filepath.Dir(path), filepath.Join(c.staging, switchName, strconv.Itoa(i)))
		if err != nil {
			return err
		}
		link := c.beside(i) + ".link"
		if err := os.Symlink(target, link); err != nil {
			return err
		}
		if err := os.Rename(link, path); err != nil {
			return err
		}
	}
	return c.syncTargets()
}

// flip turns the switch: from here on the new files count.
func (c *commit) flip() error {
	next := filepath.Join(c.staging, "next")
	var err error
	if atomicLinks {
		err = os.Symlink("new", next)
	} else {
		err = writeSynced(next, nil, 0o600)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(next, filepath.Join(c.staging, switchName)); err != nil {
		return err
	}
	c.turned = true
	return SyncDirs(c.staging)
}

// finish makes every file a plain one in its place and clears up. It may run
// again on what an interrupted run left.
func (c *commit) finish() error {
	for i, path := range c.Paths {
		err := os.Rename(c.beside(i), path)
		if errors.Is(err, fs.ErrNotExist) && c.isMissing(i) {
			err = c.put(c.new(i), i) // the name beside did not reach the disk
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := c.syncTargets(); err != nil {
		return err
	}
	return c.clear()
}

// put makes file i a plain one with the contents of a staged one.
func (c *commit) put(staged string, i int) error {
	if err := linkOrCopy(staged, c.beside(i)); err != nil {
		return err
	}
	return os.Rename(c.beside(i), c.Paths[i])
}

// clear makes the staging directory ready for the next commit. The switch goes
// last: it says whether the files were published.
func (c *commit) clear() error {
	rest := append(c.staged(), filepath.Join(c.staging, "next"), filepath.Join(c.staging, switchName))
	for _, path := range rest {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// staged lists the files in the staging directory, but the list of them.
func (c *commit) staged() []string {
	var paths []string
	for _, dir := range []string{"new", "old"} {
		entries, err := os.ReadDir(filepath.Join(c.staging, dir))
		if err != nil { // it has never been made
			continue
		}
		for _, entry := range entries {
			paths = append(paths, filepath.Join(c.staging, dir, entry.Name()))
		}
	}
	return paths
}

func (c *commit) new(i int) string { return filepath.Join(c.staging, "new", strconv.Itoa(i)) }
func (c *commit) old(i int) string { return filepath.Join(c.staging, "old", strconv.Itoa(i)) }

// beside is a name in the directory of file i that no other commit uses.
func (c *commit) beside(i int) string {
	dir, base := filepath.Split(c.Paths[i])
	return filepath.Join(dir, "."+base+"."+c.ID)
}

func (c *commit) syncTargets() error {
	var dirs []string
	for _, path := range c.Paths {
		dir := filepath.Dir(path)
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			continue // it was removed since the crash
		}
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return SyncDirs(dirs...)
}
