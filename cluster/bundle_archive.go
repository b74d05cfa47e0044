package cluster

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// maxBundle is the largest bundle that is read, in bytes: twice what all files
// of the greatest size take.
const maxBundle = 32 << 20

// archive returns the files as a tar archive, with the modes of kubeadm's and
// nothing about the machine that it is made on but the time.
func (b *Bundle) archive(now time.Time) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(h tar.Header, data []byte) error {
		h.ModTime, h.Format = now, tar.FormatUSTAR
		if err := w.WriteHeader(&h); err != nil {
			return err
		}
		_, err := w.Write(data)
		return err
	}
	var made []string
	for _, f := range b.Files {
		if dir := path.Dir(f.Name); dir != "." && !slices.Contains(made, dir) {
			made = append(made, dir)
			if err := add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o700}, nil); err != nil {
				return nil, err
			}
		}
		if err := add(tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Mode: int64(f.Kind.mode()), Size: int64(len(f.Data))}, f.Data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// endOfArchive are two blocks of zeros (POSIX.1-1988, 10.1.1). Without them the
// archive was cut off, maybe between two files, where nothing else would tell.
var endOfArchive [2 * 512]byte

// readArchive reads the files of a bundle from a tar archive; name is what
// errors call it. It takes regular files with names of the table, each once and
// no larger than it may be, and the directories of the table, and refuses all else.
func readArchive(data []byte, name string) ([]BundleFile, error) {
	if !bytes.HasSuffix(data, endOfArchive[:]) {
		return nil, damagedBundle(name, "its archive is cut off, or is no tar archive")
	}
	source := bytes.NewReader(data)
	r := tar.NewReader(source)
	var files []BundleFile
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, damagedBundle(name, "its archive cannot be read")
		}
		if header.Typeflag == tar.TypeDir && isSharedDir(strings.TrimSuffix(header.Name, "/")) {
			continue
		}
		file, err := readEntry(header, r, name)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(files, func(f BundleFile) bool { return f.Name == file.Name }) {
			return nil, foreignEntry(name, "it holds %q twice", file.Name)
		}
		files = append(files, file)
	}
	rest := data[len(data)-source.Len():]
	if len(bytes.Trim(rest, "\x00")) > 0 {
		return nil, foreignEntry(name, "something follows its archive")
	}
	return files, nil
}

func readEntry(header *tar.Header, r io.Reader, name string) (BundleFile, error) {
	kind := sharedKind(header.Name)
	switch {
	case kind == "":
		return BundleFile{}, foreignEntry(name, "it holds %q", header.Name)
	case header.Typeflag != tar.TypeReg:
		return BundleFile{}, foreignEntry(name, "%q in it is not a plain file", header.Name)
	case header.Size == 0:
		return BundleFile{}, foreignEntry(name, "%q in it is empty", header.Name)
	}
	where := name + ":" + header.Name
	data, err := store.ReadAll(r, where, kind.max())
	if failure.HintOf(err) != "" {
		return BundleFile{}, err
	}
	if err != nil || int64(len(data)) != header.Size {
		return BundleFile{}, damagedBundle(name, "its archive is cut off")
	}
	return BundleFile{Name: header.Name, Kind: kind, Data: data, path: where}, nil
}

func damagedBundle(name, why string) error {
	return failure.New(failure.Failed, "copy it again from where it was made", "bundle %q is damaged: "+why, name)
}

func foreignEntry(name, format string, args ...any) error {
	return failure.New(failure.Refused, "a bundle has the files that pkictl cluster bundle --dry-run lists, and nothing else",
		"bundle %q is refused: "+format, append([]any{name}, args...)...)
}
