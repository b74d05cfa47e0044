package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// stdin is what stands for standard input among logs.
const stdin = "-"

// rotatedTime is what lumberjack, which writes kube-apiserver's log, puts in the
// name of a file when it begins the next: audit-2026-01-02T15-04-05.000.log
// (gopkg.in/natefinch/lumberjack.v2, backupTimeFormat). With
// --audit-log-compress .gz follows.
const rotatedTime = "2006-01-02T15-04-05.000"

// input is a log to read.
type input struct {
	name  string // as it was given, or found
	info  fs.FileInfo
	stdin io.Reader // nil: it is a file
}

// findLogs lists the files to read, each once, the oldest of rotated ones first.
func findLogs(o ReplayOptions) ([]*input, error) {
	var found []*input
	for _, path := range o.Logs {
		inputs, err := findLog(path, o)
		if err != nil {
			return nil, err
		}
		for _, in := range inputs {
			if !slices.ContainsFunc(found, in.same) {
				found = append(found, in)
			}
		}
	}
	return found, nil
}

// same says whether both are the same file, which is counted once.
func (in *input) same(other *input) bool {
	if in.info == nil || other.info == nil {
		return in.info == nil && other.info == nil
	}
	return os.SameFile(in.info, other.info)
}

func findLog(path string, o ReplayOptions) ([]*input, error) {
	if path == stdin {
		if o.Stdin == nil {
			return nil, failure.New(failure.Usage, "name a file", "there is no standard input to read")
		}
		return []*input{{name: stdin, stdin: o.Stdin}}, nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, logError(err, path)
	case info.IsDir():
		return findInDir(path)
	case o.Rotated:
		return findRotated(path)
	}
	return []*input{{name: path, info: info}}, nil
}

// findInDir finds the log of a directory and its rotated files: audit.log, or the
// only .log that is not itself a rotated one.
func findInDir(dir string) ([]*input, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, logError(err, dir)
	}
	var bases []string
	for _, e := range entries {
		base := e.Name()
		if of, _, isRotated := cutRotated(base); isRotated {
			base = of
		}
		if !e.IsDir() && strings.HasSuffix(base, ".log") && !slices.Contains(bases, base) {
			bases = append(bases, base)
		}
	}
	switch {
	case slices.Contains(bases, "audit.log"):
		return findRotated(filepath.Join(dir, "audit.log"))
	case len(bases) == 1:
		return findRotated(filepath.Join(dir, bases[0]))
	case len(bases) == 0:
		return nil, failure.New(failure.Failed, "name the files", "there is no log in the directory %q", dir)
	}
	return nil, failure.New(failure.Usage, "name one of them, with --rotated for what was rotated",
		"there are several logs in the directory %q: %s", dir, strings.Join(bases, ", "))
}

// findRotated returns the rotated files of a log, the oldest first, and the log
// itself if it is there.
func findRotated(path string) ([]*input, error) {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(cmp.Or(dir, "."))
	if err != nil {
		return nil, logError(err, cmp.Or(dir, "."))
	}
	type dated struct {
		name string
		at   time.Time
	}
	var rotated []dated
	for _, e := range entries {
		if of, at, isRotated := cutRotated(e.Name()); isRotated && of == base && !e.IsDir() {
			rotated = append(rotated, dated{e.Name(), at})
		}
	}
	slices.SortStableFunc(rotated, func(a, b dated) int { return a.at.Compare(b.at) })
	var found []*input
	for _, name := range append(rotated, dated{name: base}) {
		info, err := os.Stat(dir + name.name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && (len(rotated) > 0):
			continue // removed meanwhile, or not begun
		case err != nil:
			return nil, logError(err, dir+name.name)
		}
		found = append(found, &input{name: dir + name.name, info: info})
	}
	return found, nil
}

// cutRotated returns the name of the log that a rotated file is of, and when it
// ended.
func cutRotated(name string) (base string, at time.Time, isRotated bool) {
	stem := strings.TrimSuffix(name, ".gz")
	ext := filepath.Ext(stem)
	stem = strings.TrimSuffix(stem, ext)
	cut := len(stem) - len(rotatedTime)
	if cut < 1 || stem[cut-1] != '-' {
		return "", time.Time{}, false
	}
	at, err := time.Parse(rotatedTime, stem[cut:])
	return stem[:cut-1] + ext, at, err == nil
}

// size is how many bytes will be read, 0 if nobody knows.
func (in *input) size() int64 {
	if in.info == nil || !in.info.Mode().IsRegular() {
		return 0
	}
	return in.info.Size()
}

// open begins to read. Of a file that grows, what is there now is read, and read
// is called with the number of bytes that were. The text is that of the log; the
// caller closes it.
func (in *input) open(read func(n int)) (io.ReadCloser, error) {
	if in.stdin != nil {
		return in.decompress(io.NopCloser(in.stdin), in.stdin, read)
	}
	f, err := os.Open(in.name)
	if err != nil {
		return nil, logError(err, in.name)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close() // the first error says it
		return nil, logError(err, in.name)
	}
	var r io.Reader = f
	if info.Mode().IsRegular() {
		r = io.LimitReader(f, info.Size())
	}
	return in.decompress(f, r, read)
}

// packed are the beginnings of files that other programs compress.
func packed(head []byte) string {
	for program, magic := range map[string]string{"zstd": "\x28\xb5\x2f\xfd", "xz": "\xfd7zXZ\x00", "bzip2": "BZh"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return program
		}
	}
	return ""
}

func (in *input) decompress(closer io.Closer, r io.Reader, read func(n int)) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(&countingReader{r, read}, 64<<10)
	head, _ := buffered.Peek(6) // an error comes again
	text := struct {
		io.Reader
		io.Closer
	}{buffered, closer}
	if program := packed(head); program != "" {
		_ = closer.Close() // it was only read
		return nil, failure.New(failure.Failed, program+" -dc FILE | pkictl audit replay --policy POLICY - reads it", "the log %q is compressed with %s", in.name, program)
	}
	if bytes.HasPrefix(head, []byte("\x1f\x8b")) {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			text.Reader = failedReader{err}
		} else {
			text.Reader = unzipped
		}
	}
	return text, nil
}

type countingReader struct {
	r    io.Reader
	read func(n int)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read(n)
	return n, err
}

type failedReader struct{ err error }

func (f failedReader) Read([]byte) (int, error) { return 0, f.err }

// isDamage says that a compressed file ends early or is not what was written,
// which costs the rest of it and no more.
func isDamage(err error) bool {
	_, isCorrupt := errors.AsType[flate.CorruptInputError](err)
	return isCorrupt || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum)
}

// logError says what to do about a log that cannot be read: those of a control
// plane are root's.
func logError(err error, path string) error {
	if errors.Is(err, fs.ErrPermission) {
		return failure.Wrap(store.ReadError(err, path), failure.Failed, "run it as who may, as in: sudo pkictl audit replay", "no permission")
	}
	return store.ReadError(err, path)
}
