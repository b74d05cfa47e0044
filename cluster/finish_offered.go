package cluster

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// Limits of the directory with the certificates: it is somebody else's.
const (
	maxOfferedDepth = 5
	maxOfferedFiles = 2000
	maxOfferedCerts = 5000
	maxNamed        = 5 // of files that cannot be read
)

// offered are the certificates below a directory.
type offered struct {
	dir      string
	certs    []*x509.Certificate // the newest first
	files    map[*x509.Certificate]string
	byKey    map[[sha256.Size]byte][]*x509.Certificate
	seen     map[[sha256.Size]byte]bool
	unread   []string
	warnings []string
}

// readOffered reads the certificates in all files below a directory, whatever
// they are called, in PEM or DER form. What is none is passed over.
func readOffered(dir string) (*offered, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, failure.Wrap(err, failure.Failed, "name the directory with the signed certificates with --certs", "cannot read %q", dir)
	}
	if !info.IsDir() {
		return nil, failure.New(failure.Failed, "name the directory that it is in", "%q is not a directory", dir)
	}
	o := &offered{dir: dir, files: map[*x509.Certificate]string{}, byKey: map[[sha256.Size]byte][]*x509.Certificate{}, seen: map[[sha256.Size]byte]bool{}}
	files, err := filesBelow(dir)
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		if err := o.read(path); err != nil {
			return nil, err
		}
	}
	if len(o.certs) == 0 {
		return nil, failure.New(failure.Failed, "put the signed certificates there, in PEM or DER form", "there is no certificate below %q", dir)
	}
	o.sort()
	o.warnUnread()
	return o, nil
}

// sort has the newest first.
func (o *offered) sort() {
	slices.SortStableFunc(o.certs, func(a, b *x509.Certificate) int {
		return cmp.Or(b.NotBefore.Compare(a.NotBefore), b.NotAfter.Compare(a.NotAfter))
	})
	clear(o.byKey)
	for _, cert := range o.certs {
		key := keyID(cert.PublicKey)
		o.byKey[key] = append(o.byKey[key], cert)
	}
}

// add adds certificates of a file, each once.
func (o *offered) add(certs []*x509.Certificate, path string) {
	for _, cert := range certs {
		if sum := sha256.Sum256(cert.Raw); !o.seen[sum] {
			o.seen[sum] = true
			o.certs = append(o.certs, cert)
			o.files[cert] = path
		}
	}
}

// filesBelow lists the plain files below a directory, in their order. Links to
// directories are not followed.
func filesBelow(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return failure.Wrap(err, failure.Failed, "", "cannot read %q", path)
		}
		if entry.IsDir() {
			if rel, err := filepath.Rel(dir, path); err == nil && strings.Count(rel, string(filepath.Separator)) >= maxOfferedDepth {
				return filepath.SkipDir
			}
			return nil
		}
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return nil //nolint:nilerr // a link that leads nowhere, or in a circle
		}
		if files = append(files, path); len(files) > maxOfferedFiles {
			return failure.New(failure.Failed, "copy the signed certificates into a directory of their own", "there are more than %d files below %q", maxOfferedFiles, dir)
		}
		return nil
	})
	return files, err
}

func (o *offered) read(path string) error {
	var certs []*x509.Certificate
	if data, err := store.Read(path, store.MaxPEM); err == nil {
		items, _ := ca.Decode(data, path) // what cannot be read has none
		certs = ca.Certificates(items)
	}
	if len(certs) == 0 {
		if looksLikeCertificate(path) {
			o.unread = append(o.unread, path)
		}
		return nil // it is passed over; warnUnread says so
	}
	o.add(certs, path)
	if len(o.certs) > maxOfferedCerts {
		return failure.New(failure.Failed, "copy the signed certificates into a directory of their own", "there are more than %d certificates below %q", maxOfferedCerts, o.dir)
	}
	return nil
}

// looksLikeCertificate goes by the name.
func looksLikeCertificate(path string) bool {
	return slices.Contains([]string{".crt", ".cer", ".pem", ".der", ".cert", ".p7b", ".p7c"}, strings.ToLower(filepath.Ext(path)))
}

// warnUnread names files that by their names should hold certificates. Those of
// PKCS#7, as Windows has them, are for openssl.
func (o *offered) warnUnread() {
	for i, path := range o.unread {
		if i == maxNamed {
			o.warnings = append(o.warnings, fmt.Sprintf("there is no certificate to be read in %d more files below %q", len(o.unread)-i, o.dir))
			return
		}
		hint := ""
		if ext := strings.ToLower(filepath.Ext(path)); ext == ".p7b" || ext == ".p7c" {
			hint = "; take them out with: openssl pkcs7 -print_certs"
		}
		o.warnings = append(o.warnings, fmt.Sprintf("there is no certificate to be read in %q%s", path, hint))
	}
}

// keyID identifies a public key.
func keyID(key crypto.PublicKey) [sha256.Size]byte {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil { // of a kind that no key here has
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(der)
}

// forKey returns the certificates for a key, the newest first.
func (o *offered) forKey(key crypto.PublicKey) []*x509.Certificate {
	if key == nil {
		return nil
	}
	return o.byKey[keyID(key)]
}

// nameOf returns the path of the file that a certificate is in.
func (o *offered) nameOf(cert *x509.Certificate) string { return o.files[cert] }

// hasSigned says whether a certificate is signed with the key of another,
// whatever that one may do.
func hasSigned(issuer, cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, issuer.RawSubject) &&
		issuer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

// hasFrom says whether there is a certificate for a key that the issuer has signed.
func (o *offered) hasFrom(issuer *x509.Certificate, key crypto.PublicKey) bool {
	return slices.ContainsFunc(o.forKey(key), func(cert *x509.Certificate) bool { return hasSigned(issuer, cert) })
}

// above returns the CAs above a certificate, the nearest first, as far as they
// are offered.
func (o *offered) above(cert *x509.Certificate) []*x509.Certificate {
	var chain []*x509.Certificate
	for !isRoot(cert) && len(chain) < 8 {
		var next *x509.Certificate
		for _, candidate := range o.certs {
			if hasSigned(candidate, cert) && (next == nil || isRather(candidate, next)) && !slices.Contains(chain, candidate) {
				next = candidate
			}
		}
		if next == nil {
			break
		}
		chain = append(chain, next)
		cert = next
	}
	return chain
}

// behind returns what goes behind a certificate in its file: the CAs between it
// and the root, or those between it and its authority where that is a root.
func (o *offered) behind(cert *x509.Certificate, a *authority) []*x509.Certificate {
	var list []*x509.Certificate
	for _, above := range o.above(cert) {
		if a != nil && isSameCA(above, a.ca.Certificate) {
			break
		}
		if !isRoot(above) {
			list = append(list, above)
		}
	}
	if a != nil {
		list = append(list, a.ca.Presented()...)
	}
	return list
}

func isSameCA(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubject, b.RawSubject) && ca.EqualKeys(a.PublicKey, b.PublicKey)
}
