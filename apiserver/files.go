package apiserver

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// FileState is what was done about a file, or would be.
type FileState string

// States of files.
const (
	FileWritten FileState = "written"
	FileKept    FileState = "kept"    // it is there, and is as it should be
	FileNeeded  FileState = "needed"  // it has to come from elsewhere
	FileMissing FileState = "missing" // as FileNeeded, and is not there
)

// WrittenFile is a file of a Plan below the root that it was written to.
type WrittenFile struct {
	File
	At    string    `json:"at"` // its path here
	State FileState `json:"state"`
}

// StateText is the state in words, after WriteFiles with or without DryRun.
func (w WrittenFile) StateText(dryRun bool) string {
	switch {
	case dryRun && w.State == FileWritten:
		return "would be written"
	case w.State == FileMissing || w.State == FileNeeded:
		return "has to be on the host"
	}
	return string(w.State)
}

// HasContents says whether the plan has a file to write.
func (p *Plan) HasContents() bool {
	return slices.ContainsFunc(p.Files, func(f File) bool { return f.Data != nil })
}

// WriteOptions say where files of a Plan are written.
type WriteOptions struct {
	// Root stands for the root directory of the host: / on the host itself, or a
	// directory whose contents are copied there.
	Root string
	// Replace has other contents of a file replaced; one with a key never is.
	Replace bool
	DryRun  bool
	// Encryption is what an encryption configuration that is there has to do.
	Encryption EncryptionOptions
}

// WriteFiles writes the files and directories of the plan that are not there.
// All are looked at before the first is written. A file with other contents is
// refused; each that is written is complete, and brought to the disk.
func (p *Plan) WriteFiles(o WriteOptions) ([]WrittenFile, error) {
	var files []WrittenFile
	for _, file := range p.Files {
		w := WrittenFile{File: file, At: filepath.Join(o.Root, filepath.FromSlash(file.Path))}
		var err error
		if w.State, err = w.find(o); err != nil {
			return nil, err
		}
		files = append(files, w)
	}
	if o.DryRun {
		return files, nil
	}
	for _, w := range files {
		if w.State != FileWritten {
			continue
		}
		made, err := w.write()
		if err != nil {
			for i := len(made) - 1; i >= 0; i-- {
				_ = os.Remove(made[i]) // unless somebody else has put something there
			}
			return nil, err
		}
	}
	return files, nil
}

// find says what is to be done about a file.
func (w WrittenFile) find(o WriteOptions) (FileState, error) {
	info, err := os.Lstat(w.At)
	switch {
	case errors.Is(err, fs.ErrNotExist) && w.Data == nil && !w.Dir:
		return FileMissing, nil
	case errors.Is(err, fs.ErrNotExist):
		return FileWritten, nil
	case err != nil:
		return "", store.ReadError(err, w.At)
	case w.Dir && !info.IsDir():
		return "", failure.New(failure.Failed, "move it away, or choose another path", "%q is not a directory", w.At)
	case w.Dir:
		return FileKept, nil
	case w.Data == nil:
		return FileNeeded, nil
	case !info.Mode().IsRegular():
		return "", failure.New(failure.Failed, "move it away, or choose another path", "%q is not a file", w.At)
	}
	there, err := store.Read(w.At, store.MaxYAML)
	switch {
	case err != nil:
		return "", err
	case w.Secret && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return "", failure.New(failure.Refused, "run: chmod 600 FILE; and think of who has read the key", "%q holds a key, and has mode %04o", w.At, info.Mode().Perm())
	case w.Secret:
		return FileKept, checkEncryption(w.At, there, o.Encryption)
	case bytes.Equal(there, w.Data):
		return FileKept, nil
	case !o.Replace:
		return "", failure.New(failure.Failed, "compare it, and replace it with --force", "%q is there and says something else", w.At)
	}
	return FileWritten, nil
}

// write writes a file and returns the directories that were made for it, the
// outer ones first.
func (w WrittenFile) write() (made []string, err error) {
	dir := filepath.Dir(w.At)
	if w.Dir {
		dir = w.At
	}
	made, err = makeDir(dir)
	switch {
	case err != nil || w.Dir:
		return made, err
	case !w.Secret:
		return made, store.WriteFile(w.At, w.Data, w.Mode)
	}
	err = store.WriteNew(w.At, w.Data, w.Mode)
	var exists *store.ExistsError
	if errors.As(err, &exists) {
		err = failure.New(failure.Failed, "run the command again: it looks at what is there", "%q has just been written by somebody else", w.At)
	}
	return made, err
}

// makeDir makes a directory, and those above it, of mode 0700, and returns those
// that it made, the outer ones first.
func makeDir(dir string) (made []string, err error) {
	for _, missing := range missingDirs(dir) {
		err := os.Mkdir(missing, 0o700)
		if err == nil {
			made = append(made, missing)
		} else if !errors.Is(err, fs.ErrExist) { // somebody else was faster
			return made, dirError(err, missing)
		}
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	}
	if err != nil {
		return made, dirError(err, dir)
	}
	return made, nil
}

func dirError(err error, dir string) error {
	return failure.Wrap(errors.Unwrap(err), failure.Failed, cmp.Or(hintFor(err), "see what is in its place"), "cannot make directory %q", dir)
}

// missingDirs lists the directories that are not there, the outer ones first.
func missingDirs(path string) []string {
	var missing []string
	for {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			slices.Reverse(missing)
			return missing
		}
		missing = append(missing, path)
		path = filepath.Dir(path)
	}
}
