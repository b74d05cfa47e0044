package apiserver

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// keptBackups is how many backups of a file stay.
const keptBackups = 10

// backupTime is how a backup's name says when it was made, in UTC.
const backupTime = "20060102T150405Z"

// backupsBeside returns the directory of backups of a manifest: pkictl-backups beside
// the directory that is called manifests, and else one with a dot-name beside
// the manifest. The kubelet runs every file in a directory of manifests that does
// not begin with a dot (kubernetes/kubernetes#55596).
func backupsBeside(manifest string) string {
	dir := filepath.Dir(manifest)
	if filepath.Base(dir) == "manifests" {
		return filepath.Join(filepath.Dir(dir), "pkictl-backups")
	}
	return filepath.Join(dir, ".pkictl-backups")
}

// checkBackups refuses the directory of manifests for one of backups.
func (p *Patch) checkBackups() error {
	real, err := filepath.EvalSymlinks(p.Backups)
	if err != nil { // it is not there yet
		real = p.Backups
	}
	if real != filepath.Dir(p.Path) {
		return nil
	}
	return failure.New(failure.Usage, "choose a directory outside with --backup-dir", "a backup in %q would be a second pod: the kubelet runs every file there", real)
}

// backupParts splits the name of a file as its backups have it.
func backupParts(path string) (prefix, ext string) {
	ext = filepath.Ext(path)
	return strings.TrimSuffix(filepath.Base(path), ext) + "-", ext
}

// backupsOf lists the backups of a file, the oldest first.
func backupsOf(dir, path string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	prefix, ext := backupParts(path)
	stamp := func(name string) string { return backupStamp(name, prefix, ext) }
	var names []string
	for _, entry := range entries {
		if entry.Type().IsRegular() && stamp(entry.Name()) != "" {
			names = append(names, entry.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(stamp(a), stamp(b)) })
	for i, name := range names {
		names[i] = filepath.Join(dir, name)
	}
	return names, nil
}

// backupStamp returns what of a backup's name says when it was made, "" if it is
// none. Of two the later one sorts last.
func backupStamp(name, prefix, ext string) string {
	rest, isIts := strings.CutPrefix(strings.TrimSuffix(name, ext), prefix)
	first, _, _ := strings.Cut(rest, ".")
	if _, err := time.Parse(backupTime, first); !isIts || err != nil {
		return ""
	}
	return rest
}

// newestBackup returns the newest backup of a manifest.
func newestBackup(dir, manifest string) (string, error) {
	all, err := backupsOf(dir, manifest)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(all) == 0:
		return "", failure.New(failure.Failed, "say where they are with --backup-dir", "there is no backup of %q in %q", manifest, dir)
	case err != nil:
		return "", failure.Wrap(store.ReadError(err, dir), failure.Failed, "run it as root", "backups")
	}
	return all[len(all)-1], nil
}

// writeBackup writes a backup of a file's contents, mode 0600, in a directory
// that is there. None is ever overwritten; where the newest one has these
// contents it is taken.
func writeBackup(dir, path string, data []byte, now time.Time) (backup string, isThere bool, err error) {
	prefix, ext := backupParts(path)
	stamp := now.UTC().Format(backupTime)
	if all, err := backupsOf(dir, path); err == nil && len(all) > 0 {
		newest := all[len(all)-1]
		if old, err := store.Read(newest, store.MaxYAML); err == nil && bytes.Equal(old, data) {
			return newest, true, nil
		}
		if last := backupStamp(filepath.Base(newest), prefix, ext); last >= stamp {
			stamp = after(last)
		}
	}
	backup = filepath.Join(dir, prefix+stamp+ext)
	return backup, false, store.WriteNew(backup, data, 0o600)
}

// after returns a stamp that sorts behind another: of two backups in one second,
// or where the clock was put back.
func after(stamp string) string {
	first, number, _ := strings.Cut(stamp, ".")
	n, _ := strconv.Atoi(number) // without one it is the first
	return fmt.Sprintf("%s.%04d", first, n+1)
}

// dropOldBackups removes all backups of a file but the newest, and what a killed
// run has left of one. That it fails does no harm.
func dropOldBackups(dir, path string) {
	all, err := backupsOf(dir, path)
	if err != nil {
		return
	}
	for _, old := range all[:max(0, len(all)-keptBackups)] {
		_ = os.Remove(old)
	}
	prefix, _ := backupParts(path)
	left, _ := filepath.Glob(filepath.Join(dir, "."+prefix+"*")) // a pattern of that form is right
	for _, path := range left {
		_ = os.Remove(path)
	}
}
