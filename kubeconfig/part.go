package kubeconfig

import (
	"cmp"
	"crypto/x509"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// Part is certificates or a key in a kubeconfig, or in a file that it names.
type Part struct {
	File    string    `json:"file,omitempty"` // empty: embedded
	Items   []ca.Item `json:"items,omitempty"`
	Problem string    `json:"problem,omitempty"` // why there are no items

	Err error `json:"-"` // the same
}

// Where says where the part is.
func (p *Part) Where() string { return cmp.Or(p.File, "embedded") }

// Reader reads the parts of a kubeconfig.
type Reader struct {
	Config *api.Config
	Name   string // what errors call it
	Dir    string // what paths in it are relative to
}

// ClusterCA returns the certificates by which a cluster is known, nil where
// that is left to the system.
func (r Reader) ClusterCA(cluster *api.Cluster) *Part {
	return r.part("certificate-authority-data", cluster.CertificateAuthorityData, cluster.CertificateAuthority)
}

// ClientCertificate returns the certificates of a user, nil where there are none.
func (r Reader) ClientCertificate(user *api.AuthInfo) *Part {
	return r.part("client-certificate-data", user.ClientCertificateData, user.ClientCertificate)
}

// ClientKey describes the key of a user, nil where there is none.
func (r Reader) ClientKey(user *api.AuthInfo) *Part {
	return r.part("client-key-data", user.ClientKeyData, user.ClientKey)
}

// part reads data, or else a file, which is the order of client-go. It returns
// nil where there is neither.
func (r Reader) part(what string, data []byte, file string) *Part {
	part := &Part{}
	name := what + " in " + r.Name
	switch {
	case len(data) > 0:
	case file == "":
		return nil
	default:
		part.File = resolveIn(file, r.Dir)
		name = part.File
		if data, part.Err = readFile(part.File); part.Err != nil {
			part.Problem = part.Err.Error()
			return part
		}
	}
	if part.Items, part.Err = ca.Decode(data, name); part.Err != nil {
		part.Problem = part.Err.Error()
	}
	return part
}

// readFile reads a file that a kubeconfig names, of at most 1 MiB. What is no
// plain file is refused: a named pipe would be waited for without end.
func readFile(path string) ([]byte, error) {
	if err := checkPlain(path); err != nil {
		return nil, err
	}
	return store.Read(path, store.MaxPEM)
}

func checkPlain(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return failure.New(failure.Failed, "name a file", "cannot read %q: it is not a plain file", path)
	}
	return nil
}

// resolveIn takes a path of a kubeconfig as relative to its directory.
func resolveIn(path, dir string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// CheckKey checks that a user's key, which may be nil, is that of the
// certificate.
func CheckKey(cert *x509.Certificate, part *Part) ca.Check {
	if part == nil {
		return ca.FailedCheck("key", "the key of the client certificate", "none", "add client-key or client-key-data to the user")
	}
	key := ca.PrivateKey(part.Items)
	switch {
	case key == nil:
		return ca.SkippedCheck("key", "there is no readable key")
	case key.Encrypted:
		return ca.SkippedCheck("key", "the key is encrypted")
	case key.Public == nil:
		return ca.SkippedCheck("key", "the key is in a PKCS#11 token")
	}
	return ca.CheckKey(cert, "the client certificate", key.Public, cmp.Or(part.File, "the kubeconfig"))
}

// Credentials says what a user logs in with. The arguments and variables of a
// plugin are left out: they may hold secrets.
func Credentials(user *api.AuthInfo) []string {
	var kinds []string
	add := func(has bool, kind string) {
		if has {
			kinds = append(kinds, kind)
		}
	}
	add(user.ClientCertificate != "" || len(user.ClientCertificateData) > 0, "client certificate")
	add(user.ClientKey != "" || len(user.ClientKeyData) > 0, "client key")
	add(user.Token != "", "token (not shown)")
	add(user.TokenFile != "", "token file "+user.TokenFile)
	add(user.Username != "", "user name "+user.Username)
	add(user.Password != "", "password (not shown)")
	if user.Exec != nil {
		add(true, "exec plugin "+user.Exec.Command)
	}
	if user.AuthProvider != nil {
		add(true, "auth provider "+user.AuthProvider.Name)
	}
	add(user.Impersonate != "", "impersonation of "+user.Impersonate)
	return kinds
}
