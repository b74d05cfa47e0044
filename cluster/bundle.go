package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// Bundle is what the nodes of a control plane have in common: the CAs and the
// keys of the service accounts, as kubeadm's upload-certs copies them
// (cmd/kubeadm/app/phases/copycerts/copycerts.go), and cluster.yaml. It has
// nothing of one node.
//
// On disk it is a tar archive (POSIX.1-1988, ustar) that age has encrypted
// (https://age-encryption.org/v1). Its entries are named as below a cluster
// directory, pki/ca.crt and so on, in the order of the table; the directories
// pki and pki/etcd come before what is in them. Anyone who may can open it with
//
//	age -d -i KEY FILE | tar -x -f -
//
// and make one with tar and age in the same way.
type Bundle struct {
	// Name is the cluster's, DefaultName where cluster.yaml does not say.
	Name  string
	Files []BundleFile // in the order of the table
	// Warnings say what it lacks, and what could not be compared.
	Warnings []string

	node string // name of the directory that pki was read out of; empty: that of cluster.yaml
}

// BundleFile is a file of a bundle.
type BundleFile struct {
	Name string // below a cluster directory, with slashes
	Kind BundleFileKind
	Data []byte
	// Fingerprint is the SHA-256 of a certificate as OpenSSL prints it. Of a key
	// it is that of its public part, in kubeadm's form (sha256:…); empty where the
	// key is encrypted or in a token, and for cluster.yaml.
	Fingerprint string
	NotAfter    time.Time // end of a certificate
	// Note says that a key is encrypted, or in a PKCS#11 token.
	Note string

	path string // what errors call it
}

// BundleFileKind says what a BundleFile holds.
type BundleFileKind string

// The kinds of files in a bundle.
const (
	BundleSettings    BundleFileKind = "Settings"
	BundleCertificate BundleFileKind = "Certificate"
	BundleChain       BundleFileKind = "CertificateChain"
	BundleKey         BundleFileKind = "PrivateKey"
	BundlePublicKey   BundleFileKind = "PublicKey"
)

// mode is that of kubeadm's files, and 0644 for settings, in which is no secret.
func (k BundleFileKind) mode() fs.FileMode {
	switch k {
	case BundleKey, BundlePublicKey:
		return 0o600
	}
	return 0o644
}

func (k BundleFileKind) max() int64 {
	if k == BundleSettings {
		return store.MaxYAML
	}
	return store.MaxPEM
}

// sharedFile is a line of the table of all that a bundle may hold.
type sharedFile struct {
	name string // below a cluster directory, with slashes
	kind BundleFileKind
}

// sharedFiles is that table, from the layout. The chain of an intermediate CA
// stands beside its certificate.
func sharedFiles() []sharedFile {
	files := []sharedFile{{SettingsFile, BundleSettings}}
	for _, e := range Layout() {
		name := "pki/" + e.Name
		switch {
		case !e.IsShared():
		case e.Kind == KindCA:
			files = append(files, sharedFile{name + ".crt", BundleCertificate}, sharedFile{name + ".key", BundleKey},
				sharedFile{name + "-chain.crt", BundleChain})
		default:
			files = append(files, sharedFile{name + ".key", BundleKey}, sharedFile{name + ".pub", BundlePublicKey})
		}
	}
	return files
}

// isSharedDir says whether a bundle may have a directory of that name.
func isSharedDir(name string) bool {
	return slices.ContainsFunc(sharedFiles(), func(f sharedFile) bool { return strings.HasPrefix(f.name, name+"/") })
}

// sharedKind returns what the file of that name holds, empty if a bundle has none.
func sharedKind(name string) BundleFileKind {
	for _, f := range sharedFiles() {
		if f.name == name {
			return f.kind
		}
	}
	return ""
}

// ReadBundle reads what the nodes share out of a cluster directory, and checks
// it: each key is that of its certificate, sa.pub that of sa.key, and no CA has
// ended. Where cluster.yaml has several nodes, with a directory for each, it is
// read out of the first one's, and the others have the same. A CA whose key or certificate is not there is a
// warning, but for the certificate of the cluster's own CA; so is a key that
// cannot be compared because it is encrypted or in a token.
func ReadBundle(dir string, now time.Time) (*Bundle, error) {
	nodes, err := bundledNodes(dir)
	if err != nil {
		return nil, err
	}
	files, err := readShared(dir, nodes[0])
	if err != nil {
		return nil, err
	}
	bundle, err := newBundle(files, dir, now)
	if err != nil {
		return nil, err
	}
	bundle.node = nodes[0]
	if err := bundle.checkNodes(dir, nodes[1:]); err != nil {
		return nil, err
	}
	return bundle, nil
}

// checkNodes compares what was read out of the first node's directory with those
// of the others: there is no telling which of two CAs is the cluster's.
func (b *Bundle) checkNodes(dir string, nodes []string) error {
	for _, node := range nodes {
		others, err := readShared(dir, node)
		if err != nil {
			return err
		}
		for _, other := range others {
			if mine := b.file(other.Name); mine != nil && !bytes.Equal(mine.Data, other.Data) {
				return failure.New(failure.Failed, fmt.Sprintf("name the right one with --dir, like %q", filepath.Join(dir, b.node)),
					"the nodes do not share %q and %q: they differ", mine.path, other.path)
			}
		}
	}
	return nil
}

// FileName is what a bundle is called where nobody says: NAME-bundle.age.
func (b *Bundle) FileName() string { return b.Name + "-bundle.age" }

// bundledNodes returns the names of the directories that have the PKI where there
// is one for each node, an empty one where dir is that of a node itself.
func bundledNodes(dir string) ([]string, error) {
	path := ca.CertPath(PKIDir(dir))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return []string{""}, nil // reading it says what is wrong with it
	}
	list, _, err := findDirectories(dir)
	hint := "name the directory above pki with --dir, like /etc/kubernetes"
	switch {
	case err != nil && isThere(filepath.Join(dir, SettingsFile)):
		return nil, err
	case err != nil || list[0].path == dir:
	case list[0].home == dir: // the settings name it
		var names []string
		for _, d := range list {
			if d.home == dir {
				names = append(names, d.name)
			}
		}
		return names, nil
	default:
		hint = fmt.Sprintf("name the directory of one node with --dir, like %q", list[0].path)
	}
	return nil, failure.New(failure.Failed, hint, "there is no cluster CA in %q: %q is missing", dir, path)
}

// readShared reads those of the shared files that a cluster directory has: the
// PKI from that of a node, if it has one for each.
func readShared(dir, node string) ([]BundleFile, error) {
	var files []BundleFile
	for _, f := range sharedFiles() {
		path := filepath.Join(dir, node, filepath.FromSlash(f.name))
		if f.kind == BundleSettings {
			path = filepath.Join(dir, f.name)
		}
		data, err := store.Read(path, f.kind.max())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, BundleFile{Name: f.name, Kind: f.kind, Data: data, path: path})
	}
	return files, nil
}

// newBundle checks files, which are in any order, and makes a bundle of them;
// where says in errors where they are.
func newBundle(files []BundleFile, where string, now time.Time) (*Bundle, error) {
	b := &Bundle{Name: DefaultName, Files: files}
	table := sharedFiles()
	order := func(f BundleFile) int {
		return slices.IndexFunc(table, func(s sharedFile) bool { return s.name == f.Name })
	}
	slices.SortFunc(b.Files, func(x, y BundleFile) int { return order(x) - order(y) })
	if err := b.check(where, now); err != nil {
		return nil, err
	}
	return b, nil
}

// file returns the file of that name, nil if there is none.
func (b *Bundle) file(name string) *BundleFile {
	for i := range b.Files {
		if b.Files[i].Name == name {
			return &b.Files[i]
		}
	}
	return nil
}
