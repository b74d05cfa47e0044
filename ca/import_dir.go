package ca

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pkictl/pkictl/internal/failure"
)

// layout is where a tool keeps a CA, below its directory.
type layout struct {
	tool      string
	cert, key string
	index     string // openssl's list of what it signed; empty: there is none
}

// toolKubeadm keeps kubeconfigs above its PKI directory.
const toolKubeadm = "kubeadm"

// layouts are the tools whose directories are known.
var layouts = []layout{
	{tool: toolKubeadm, cert: certFile, key: keyFile},
	{tool: "easy-rsa", cert: "ca.crt", key: "private/ca.key", index: "index.txt"},
	{tool: "cfssl", cert: "ca.pem", key: "ca-key.pem"},
	{tool: "openssl ca", cert: "cacert.pem", key: "private/cakey.pem", index: "index.txt"},
}

// layoutDirs are where it may be below the directory that was named.
var layoutDirs = []string{".", "pki", "demoCA"}

// importSource is where an existing CA is read from.
type importSource struct {
	tool      string
	dir       string // all that is below is looked at; empty: nothing
	cert, key string // paths
	chain     string // of the CAs above; empty: none, or in the file of cert
	index     string // path, empty where there is none
}

// importSource finds the CA's files.
func (o InitOptions) importSource() (importSource, error) {
	if o.ImportDir == "" {
		return importSource{cert: o.CertFile, key: o.KeyFile}, nil
	}
	info, err := os.Stat(o.ImportDir)
	if err == nil && info.IsDir() { // may one go there?
		_, err = os.Stat(o.ImportDir + string(os.PathSeparator) + ".")
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return importSource{}, failure.New(failure.Failed, "check the name", "there is no directory %q", o.ImportDir)
	case err != nil:
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err // the path is in the error's own text
		}
		return importSource{}, failure.Wrap(err, failure.Failed, "check owner and mode of the directory", "cannot import %q", o.ImportDir)
	case !info.IsDir():
		return importSource{}, failure.New(failure.Usage, "import two files with --cert and --key", "%q is not a directory", o.ImportDir)
	}
	if o.CertFile != "" {
		return importSource{dir: o.ImportDir, cert: o.CertFile, key: o.KeyFile}, nil
	}
	return findLayout(o.ImportDir)
}

// findLayout finds the CA of a tool below a directory.
func findLayout(root string) (importSource, error) {
	lone := ""
	for _, sub := range layoutDirs {
		dir := filepath.Join(root, sub)
		var found []importSource
		for _, l := range layouts {
			src := l.in(dir)
			switch {
			case isThere(src.cert) && isThere(src.key):
				found = append(found, src)
			case lone == "" && isThere(src.cert):
				lone = src.cert
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return importSource{}, failure.New(failure.Usage, "name the one with --cert and --key",
				"there are two CAs in %q: %q and %q", dir, found[0].key, found[1].key)
		}
	}
	if lone != "" {
		return importSource{}, failure.New(failure.Failed, "import it where its key is, or name both with --cert and --key",
			"CA certificate %q has no key where one of the known tools keeps it", lone)
	}
	return importSource{}, failure.New(failure.Failed,
		"name a directory of kubeadm (ca.crt, ca.key), cfssl (ca.pem, ca-key.pem), easy-rsa (ca.crt, private/ca.key) or openssl ca (cacert.pem, private/cakey.pem), or two files with --cert and --key",
		"there is no CA in %q", root)
}

func (l layout) in(dir string) importSource {
	src := importSource{
		tool: l.tool, dir: dir, cert: filepath.Join(dir, l.cert), key: filepath.Join(dir, filepath.FromSlash(l.key)),
	}
	if path := filepath.Join(dir, l.index); l.index != "" && isThere(path) {
		src.index = path
	}
	if l.cert == certFile {
		src.chain = ChainPath(dir)
	}
	return src
}

// isThere says whether there is something of that name, even if it may not be
// looked at.
func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil || errors.Is(err, fs.ErrPermission)
}
