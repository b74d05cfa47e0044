package cluster

import (
	"crypto"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// PKIDir returns the PKI directory of a cluster directory.
func PKIDir(dir string) string { return filepath.Join(dir, "pki") }

// CertPath returns the path of the file with the entry's certificate: the
// kubeconfig, of one of those; empty for keys without a certificate.
func (e Entry) CertPath(dir string) string {
	switch e.Kind {
	case KindKubeconfig:
		return filepath.Join(dir, e.Name)
	case KindKeyPair:
		return ""
	}
	return e.below(dir, ".crt")
}

// KeyPath returns the path of the file with the entry's private key.
func (e Entry) KeyPath(dir string) string {
	if e.Kind == KindKubeconfig {
		return filepath.Join(dir, e.Name)
	}
	return e.below(dir, ".key")
}

// publicPath returns the path of the public key of a KindKeyPair.
func (e Entry) publicPath(dir string) string { return e.below(dir, ".pub") }

func (e Entry) below(dir, suffix string) string {
	return filepath.Join(PKIDir(dir), filepath.FromSlash(e.Name)+suffix)
}

// Paths are the paths of all the entry's files.
func (e Entry) Paths(dir string) []string {
	switch e.Kind {
	case KindKubeconfig:
		return []string{e.KeyPath(dir)}
	case KindKeyPair:
		return []string{e.KeyPath(dir), e.publicPath(dir)}
	}
	return []string{e.CertPath(dir), e.KeyPath(dir)}
}

// ChainPath returns the path of the file with the certificates of a CA and of
// those above it, which only a CA below another has.
func (e Entry) ChainPath(dir string) string { return e.below(dir, "-chain.crt") }

// sharedPaths are the paths of all files that nodes share, some of which need
// not be there.
func (e Entry) sharedPaths(dir string) []string {
	paths := e.Paths(dir)
	if e.Kind == KindCA {
		paths = append(paths, e.ChainPath(dir))
	}
	return paths
}

// FileMode returns the mode that Init gives a file of a cluster directory.
func FileMode(path string) fs.FileMode { return modeOf(path) }

// modeOf is the mode of a file of the PKI, as kubeadm has it.
func modeOf(path string) fs.FileMode {
	if strings.HasSuffix(path, ".crt") {
		return 0o644
	}
	return 0o600
}

// Found is what stands in the files of an entry.
type Found struct {
	Entry   Entry
	Dir     string   // the cluster directory
	Missing []string // paths of files that are not there

	Certificate *x509.Certificate   // nil where there is none, or it cannot be read
	Behind      []*x509.Certificate // those after it in the file
	// Key is the public part of the private key; nil where there is none, or
	// KeyProblem says why it is not known.
	Key        crypto.PublicKey
	KeyProblem string
	// Public are the keys in sa.pub: while the key of service accounts is being
	// replaced, more than one.
	Public []crypto.PublicKey

	// Config is the kubeconfig of a KindKubeconfig, of which Cluster and User
	// are those of the current context.
	Config  *api.Config
	Cluster *api.Cluster
	User    *api.AuthInfo
	CAs     []*x509.Certificate // that the kubeconfig trusts
	// Rotated is the file with the certificate where the kubeconfig names one, as
	// a kubelet's does that renews its own.
	Rotated string

	// Problems say what of it cannot be read.
	Problems []error
}

// Absent says whether there is none of the entry's files.
func (f *Found) Absent() bool { return len(f.Missing) == len(f.Entry.Paths(f.Dir)) }

// isMissing says whether the file at path is not there.
func (f *Found) isMissing(path string) bool {
	return slices.Contains(f.Missing, path)
}

// isVerified says whether what the private key signs is verified by one of the
// public ones.
func (f *Found) isVerified() bool {
	return slices.ContainsFunc(f.Public, func(public crypto.PublicKey) bool { return ca.EqualKeys(f.Key, public) })
}

// RequestPath returns the path of the file with the certificate request of an
// entry whose CA is elsewhere, as kubeadm certs generate-csr has it.
func (e Entry) RequestPath(dir string) string {
	if e.Kind == KindKubeconfig {
		return filepath.Join(dir, e.Name+".csr")
	}
	return e.below(dir, ".csr")
}

// isPending says whether there is a key that waits for its certificate.
func (f *Found) isPending() bool {
	return f.Entry.Kind != KindKeyPair && f.Key != nil && f.Certificate == nil && f.Problems == nil
}

// foundRequest is found where a certificate is awaited.
const foundRequest = "none yet, but a request"

// awaited says what there is in place of a certificate.
func (f *Found) awaited() string {
	if f.isRequested() {
		return foundRequest
	}
	return "none"
}

// isRequested says whether a key that waits for its certificate has a request
// beside it.
func (f *Found) isRequested() bool {
	if !f.isPending() {
		return false
	}
	_, err := os.Lstat(f.Entry.RequestPath(f.Dir))
	return err == nil
}

// Find reads the files of an entry in a cluster directory. What is wrong with
// them is in the result.
func Find(dir string, e Entry) *Found {
	f := &Found{Entry: e, Dir: dir}
	plain := true
	for _, path := range e.Paths(dir) {
		info, err := os.Lstat(path)
		// Where a file stands in a directory's place there is nothing, either.
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			f.Missing = append(f.Missing, path)
			continue
		}
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			info, err = os.Stat(path)
		}
		// A named pipe would be waited for without end.
		if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			f.problem(path, failure.New(failure.Failed, "restore the file from a backup", "%q is not a plain file", path))
			plain = false
		}
	}
	if f.Absent() || !plain {
		return f
	}
	switch e.Kind {
	case KindKubeconfig:
		f.readKubeconfig()
		return f
	case KindKeyPair:
		f.readPublic()
	default:
		f.readCertificate()
	}
	f.readKey()
	return f
}

// problem notes what is wrong with the file at path.
func (f *Found) problem(path string, err error) {
	f.Problems = append(f.Problems, &fileError{path, err})
}

// fileError is an error that is known to be about a file.
type fileError struct {
	path string
	err  error
}

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

func (f *Found) readCertificate() {
	path := f.Entry.CertPath(f.Dir)
	items := f.decode(path)
	if items == nil {
		return
	}
	f.takeCertificates(items, path)
}

func (f *Found) takeCertificates(items []ca.Item, path string) {
	certs := ca.Certificates(items)
	if len(certs) == 0 {
		f.problem(path, failure.New(failure.Failed, "restore the file from a backup", "there is no certificate in %q", path))
		return
	}
	f.Certificate, f.Behind = certs[0], certs[1:]
}

func (f *Found) readKey() {
	path := f.Entry.KeyPath(f.Dir)
	items := f.decode(path)
	if items == nil {
		return
	}
	key := ca.PrivateKey(items)
	if key == nil {
		f.problem(path, failure.New(failure.Failed, "restore the file from a backup", "there is no private key in %q", path))
		return
	}
	f.takeKey(key)
}

func (f *Found) takeKey(key *ca.KeyInfo) {
	switch {
	case key.Encrypted:
		f.KeyProblem = "is encrypted"
	case key.Public == nil:
		f.KeyProblem = "is in a PKCS#11 token"
	default:
		f.Key = key.Public
	}
}

func (f *Found) readPublic() {
	path := f.Entry.publicPath(f.Dir)
	items := f.decode(path)
	if items == nil {
		return
	}
	for _, item := range items {
		// As ParsePublicKeysPEM in k8s.io/client-go/util/keyutil takes them.
		switch {
		case item.Kind == ca.ItemPublicKey && item.Key != nil:
			f.Public = append(f.Public, item.Key.Public)
		case item.Certificate != nil:
			f.Public = append(f.Public, item.Certificate.X509.PublicKey)
		}
	}
	if f.Public == nil {
		f.problem(path, failure.New(failure.Failed, "restore the file from a backup", "there is no public key in %q", path))
	}
}

// decode reads one of the files. It returns nil where it is not there, or cannot
// be read, which is then a problem.
func (f *Found) decode(path string) []ca.Item {
	if f.isMissing(path) {
		return nil
	}
	items, err := decodeFile(path)
	if err != nil {
		f.problem(path, err)
		return nil
	}
	return items
}

// decodeFile reads PEM, the one form that Kubernetes takes.
func decodeFile(path string) ([]ca.Item, error) {
	data, err := store.Read(path, store.MaxPEM)
	if err != nil {
		return nil, err
	}
	items, err := ca.Decode(data, path)
	if err == nil && (len(items) == 0 || items[0].Block == 0) {
		return nil, failure.New(failure.Failed, "convert it with openssl, and -outform PEM", "%q is not PEM", path)
	}
	return items, err
}

func (f *Found) readKubeconfig() {
	path := f.Entry.CertPath(f.Dir)
	config, err := kubeconfig.Load(path)
	if err != nil {
		f.problem(path, err)
		return
	}
	bad := func(what string) {
		f.problem(path, failure.New(failure.Failed, "restore the file from a backup", "kubeconfig %q has no %s", path, what))
	}
	f.Config = config
	context := config.Contexts[config.CurrentContext]
	if context == nil {
		bad("current context")
		return
	}
	if f.Cluster = config.Clusters[context.Cluster]; f.Cluster == nil {
		bad("cluster in its current context")
		return
	}
	if f.User = config.AuthInfos[context.AuthInfo]; f.User == nil {
		bad("user in its current context")
		return
	}
	f.readParts(kubeconfig.Reader{Config: config, Name: path, Dir: filepath.Dir(path)})
}

// clusterName is what the current context of a kubeconfig calls its cluster.
func (f *Found) clusterName() string {
	if f.Config == nil || f.Config.Contexts[f.Config.CurrentContext] == nil {
		return ""
	}
	return f.Config.Contexts[f.Config.CurrentContext].Cluster
}

func (f *Found) readParts(r kubeconfig.Reader) {
	if part := r.ClusterCA(f.Cluster); part != nil {
		if part.Err != nil {
			f.problem(r.Name, part.Err)
		}
		f.CAs = ca.Certificates(part.Items)
	}
	if part := r.ClientCertificate(f.User); part != nil {
		f.Rotated = part.File
		if part.Err != nil {
			f.problem(r.Name, part.Err)
		} else {
			f.takeCertificates(part.Items, r.Name)
		}
	}
	part := r.ClientKey(f.User)
	if part == nil {
		return
	}
	if part.Err != nil {
		f.problem(r.Name, part.Err)
	} else if key := ca.PrivateKey(part.Items); key != nil {
		f.takeKey(key)
	}
}
