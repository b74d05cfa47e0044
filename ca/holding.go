package ca

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// HoldingAt returns what stands in the file at path, a certificate that the CA
// has signed. Its key is in PREFIX.key beside PREFIX.crt, or in PREFIX-key.pem
// beside PREFIX.pem, as cfssl names them.
func (c *CA) HoldingAt(ctx context.Context, path string, now time.Time) (*Holding, error) {
	cert, err := ReadCertificate(path)
	if err != nil {
		return nil, err
	}
	h, err := c.HoldingOf(ctx, cert, now)
	if err != nil {
		return nil, err
	}
	h.CertPath, h.KeyPath = path, keyPathOf(path)
	if h.out == "" {
		h.Name = filepath.Base(strings.TrimSuffix(path, ".crt"))
	}
	return h, nil
}

// Add adds another file that may hold the certificate.
func (h *Holding) Add(path string) {
	if !slices.ContainsFunc(h.Also, func(known string) bool { return isSameFile(known, path) }) {
		h.Also = append(h.Also, path)
	}
}

// stands says whether any of its files is there.
func (h *Holding) stands() bool {
	return h.CertPath != "" || slices.ContainsFunc(h.Also, func(path string) bool {
		return embeds(path, h.Certificate)
	})
}

// base64Text is what a kubeconfig embeds a certificate as.
var base64Text = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[A-Za-z0-9+/=]{100,}`) })

// embeds says whether a file holds a certificate, as it is or as kubeconfigs
// do: one that was written with it may hold a later one by now.
func embeds(path string, cert *x509.Certificate) bool {
	data, err := store.Read(path, store.MaxYAML)
	if err != nil {
		return false
	}
	isIt := func(data []byte) bool {
		block, _ := pem.Decode(data)
		return block != nil && bytes.Equal(block.Bytes, cert.Raw)
	}
	if isIt(data) {
		return true
	}
	for _, text := range base64Text().FindAll(data, -1) {
		decoded, err := base64.StdEncoding.DecodeString(string(text))
		if err == nil && isIt(decoded) {
			return true
		}
	}
	return false
}

// HoldingOf returns a certificate that the CA has signed, and where it stands
// as far as the inventory knows.
func (c *CA) HoldingOf(ctx context.Context, cert *x509.Certificate, now time.Time) (*Holding, error) {
	name := cert.Subject.CommonName
	switch {
	case cert.IsCA:
		return nil, failure.New(failure.Failed, "make a new CA, and have everything that trusts it trust both for a time",
			"%q is the certificate of a CA", name)
	case !c.hasSigned(cert):
		return nil, failure.New(failure.Failed, "name the directory of its CA with --dir; those of a control plane are renewed with: pkictl cluster renew",
			"the certificate of %q is not signed by the CA in %q but by %s", name, c.Dir, FormatName(cert.RawIssuer))
	}
	entries, err := List(ctx, ListOptions{Dir: c.Dir, Serial: cert.SerialNumber, Now: now, WithPEM: true})
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		switch {
		case entry.aki != c.akiOf(cert):
		case entry.State == StateRevoked: // which may have come from another tool, without the certificate
			return nil, revokedError(cert)
		case bytes.Equal([]byte(entry.PEM), EncodeCertificates(cert)):
			return c.holding(entry, cert), nil
		}
	}
	h := &Holding{Certificate: cert, Name: name, Profile: profileNameOf(cert)}
	// kubeadm's, made in the same second as its CA, say it all the same.
	h.beginsWithCA = cert.NotBefore.Equal(c.Certificate.NotBefore) && (cert.NotAfter.Sub(cert.NotBefore)-Backdate)%Day != 0
	return h, nil
}

// hasSigned says whether a certificate is one of the CA's. The inventory of a
// cluster's PKI directory has those of several.
func (c *CA) hasSigned(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, c.Certificate.RawSubject) && cert.CheckSignatureFrom(c.Certificate) == nil
}

// akiOf returns the key identifier under which the inventory has a certificate
// of the CA, which need not name one.
func (c *CA) akiOf(cert *x509.Certificate) string {
	if len(cert.AuthorityKeyId) == 0 {
		return c.aki()
	}
	return hex.EncodeToString(cert.AuthorityKeyId)
}

func revokedError(cert *x509.Certificate) error {
	return failure.New(failure.Failed, "issue a new one with: pkictl issue",
		"the certificate of %q with serial %s is revoked", cert.Subject.CommonName, FormatSerial(cert.SerialNumber))
}

// holding returns an entry of the inventory, not revoked, with the files that
// still hold it.
func (c *CA) holding(entry Entry, cert *x509.Certificate) *Holding {
	h := &Holding{
		Certificate: cert, Name: entry.Name, Profile: entry.Profile, Also: entry.Also, issued: entry.IssuedAt, out: entry.Out,
	}
	if entry.Out == "" {
		return h
	}
	path := entry.Out + ".crt"
	if !isFile(path) && strings.HasSuffix(entry.Out, ".pem") {
		path = entry.Out // one with a name of another form was renewed
	}
	found, err := ReadCertificate(path)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && !found.Equal(cert)) {
		return h // moved away, or replaced
	}
	h.CertPath, h.KeyPath = path, keyPathOf(path)
	return h // a damaged file stops its own renewal, and no other
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func keyPathOf(certPath string) string {
	if prefix, isPEM := strings.CutSuffix(certPath, ".pem"); isPEM {
		return prefix + "-key.pem"
	}
	prefix := strings.TrimSuffix(certPath, ".crt")
	dir, name := filepath.Split(prefix)
	if beside := filepath.Join(dir, "..", "private", name+".key"); filepath.Base(dir) == "issued" && !isFile(prefix+".key") && isFile(beside) {
		return beside // as easy-rsa has them
	}
	return prefix + ".key"
}

// HoldingNamed returns the certificate of that name: a file NAME.crt in the PKI
// directory, or one in the inventory whose files are there.
func (c *CA) HoldingNamed(ctx context.Context, name string, now time.Time) (*Holding, error) {
	if path := filepath.Join(c.Dir, name+".crt"); filepath.IsLocal(name) {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return c.HoldingAt(ctx, path, now)
		}
	}
	holdings, missing, err := c.holdings(ctx, ListOptions{Dir: c.Dir, Name: name, Now: now})
	switch {
	case err != nil:
		return nil, err
	case len(holdings) == 1:
		return holdings[0], nil
	case len(holdings) > 1:
		var files []string
		for _, h := range holdings {
			files = append(files, cmp.Or(h.CertPath, first(h.Also)))
		}
		return nil, failure.New(failure.Usage, "name one of the files: "+strings.Join(files, ", "),
			"there are %d certificates of %q", len(holdings), name)
	case len(missing) > 0:
		return nil, failure.New(failure.Failed, "name the file, or issue a new one with: pkictl issue",
			"the inventory has a certificate of %q, but its files are not where they were written", name)
	}
	return nil, failure.New(failure.Failed, "see what there is with: pkictl list",
		"there is no certificate of %q in %q", name, c.Dir)
}

// Holdings returns the certificates of the CA whose files are where they were
// written, of those that end within that time or have ended; 0: all. Of the
// others in force it returns the entries. Those of another CA in the same
// inventory are passed over.
func (c *CA) Holdings(ctx context.Context, within time.Duration, now time.Time) (holdings []*Holding, missing []Entry, err error) {
	return c.holdings(ctx, ListOptions{Dir: c.Dir, Expiring: within, Overdue: true, Now: now})
}

func (c *CA) holdings(ctx context.Context, o ListOptions) (holdings []*Holding, missing []Entry, err error) {
	o.WithPEM, o.inFiles = true, true
	entries, err := List(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		if entry.Profile == profileCA || (entry.State != StateValid && entry.State != StateExpired) {
			continue
		}
		cert, err := parseCertificates([]byte(entry.PEM), "inventory")
		if err != nil {
			return nil, nil, err
		}
		if !c.hasSigned(cert[0]) {
			continue
		}
		h := c.holding(entry, cert[0])
		switch {
		case h.CertPath != "" && !isFile(h.KeyPath): // of a request, whose owner has the key
			missing = append(missing, entry)
		case h.stands():
			holdings = append(holdings, h)
		case entry.State == StateValid:
			missing = append(missing, entry)
		}
	}
	return holdings, missing, nil
}
