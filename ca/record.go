package ca

import (
	"crypto/x509"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudflare/cfssl/certdb"

	"github.com/pkictl/pkictl/internal/store"
)

// Metadata is what the inventory keeps of a certificate beside cfssl's columns.
type Metadata struct {
	Name    string   `json:"name"`             // base name of its files
	Groups  []string `json:"groups,omitempty"` // organizations of its subject
	Profile string   `json:"profile"`
	Key     string   `json:"key,omitempty"`  // kind of its key
	Out     string   `json:"out,omitempty"`  // path of its files without .crt and .key, or else of a kubeconfig, absolute or below the PKI directory
	Also    []string `json:"also,omitempty"` // paths of other files with it, such as kubeconfigs, likewise
	// Credential says that the command credential handed it out: it stands in no
	// file, and whoever holds it asks for the next one by itself.
	Credential bool `json:"credential,omitempty"`
}

// recordedIn returns a path of the inventory of the PKI directory dir.
func recordedIn(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// recordedPath is the reverse of recordedIn: absolute, or below the PKI
// directory, which may move.
func recordedPath(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// newRecord describes a certificate that is about to be signed; cert may be its
// linted stand-in.
func newRecord(cert *x509.Certificate, meta Metadata) (certdb.CertificateRecord, error) {
	meta.Key = KeyName(cert.PublicKey)
	metadata, err := json.Marshal(meta)
	if err != nil {
		return certdb.CertificateRecord{}, err
	}
	sans, err := json.Marshal(SANsOf(cert).Strings())
	if err != nil {
		return certdb.CertificateRecord{}, err
	}
	return certdb.CertificateRecord{
		Serial:       cert.SerialNumber.String(),
		AKI:          hex.EncodeToString(cert.AuthorityKeyId),
		NotBefore:    &cert.NotBefore,
		MetadataJSON: metadata,
		SANsJSON:     sans,
		CommonName:   sql.NullString{String: cert.Subject.CommonName, Valid: true},
	}, nil
}

// pending is one certificate on its way to the disk.
type pending struct {
	meta Metadata
	// linted is the certificate before it is signed.
	linted *x509.Certificate
	// sign makes the certificate, once the serial is recorded.
	sign func() (*x509.Certificate, error)
	// files returns what is written.
	files func(cert *x509.Certificate) ([]store.File, error)

	record certdb.CertificateRecord
	cert   *x509.Certificate // once it is signed
	out    []store.File
}

// inventory is where an issuance is recorded: a store.Inventory, or two.
type inventory interface {
	Reserve(now time.Time, records ...certdb.CertificateRecord) error
	Record(signed ...store.Signed) error
	Forget(records ...certdb.CertificateRecord) error
}

// issuance is certificates that go to the disk as one step.
type issuance struct {
	inv     inventory
	dir     *store.Dir
	now     time.Time
	replace bool
}

// run records the serials, signs, records the certificates, and puts the files
// in their places, in this order: whatever dies in between, no certificate
// exists without its row. When it fails before the files are written, the rows
// go: the certificates never left this process.
func (i issuance) run(certs ...*pending) error {
	records := make([]certdb.CertificateRecord, len(certs))
	for n, p := range certs {
		var err error
		if p.record, err = newRecord(p.linted, p.meta); err != nil {
			return err
		}
		records[n] = p.record
	}
	if err := i.inv.Reserve(i.now, records...); err != nil {
		return err
	}
	err := i.publish(certs)
	var left *store.PendingError
	if err != nil && !errors.As(err, &left) {
		// The first error says what happened; a row too many does no harm.
		_ = i.inv.Forget(records...)
	}
	return err
}

func (i issuance) publish(certs []*pending) error {
	err := InParallel(len(certs), func(n int) error { return certs[n].complete() })
	if err != nil {
		return err
	}
	var files []store.File
	signed := make([]store.Signed, len(certs))
	for n, p := range certs {
		files = append(files, p.out...)
		signed[n] = store.Signed{
			Serial: p.record.Serial, AKI: p.record.AKI,
			PEM: string(EncodeCertificates(p.cert)), Expiry: p.cert.NotAfter,
		}
	}
	return i.dir.CommitIssued(files, i.replace, signed, func() error { return i.inv.Record(signed...) })
}

// complete signs the certificate, once however often it is tried to write it.
func (p *pending) complete() error {
	if p.out != nil {
		return nil
	}
	cert, err := p.sign()
	if err != nil {
		return err
	}
	p.cert = cert
	p.out, err = p.files(cert)
	return err
}

// InParallel calls do with 0 … n-1 on all processors and returns the error of
// the lowest number.
func InParallel(n int, do func(int) error) error {
	errs := make([]error, n)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = do(i)
			}
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// withInventory makes a change to a locked directory that needs its inventory,
// and frees the lock.
func withInventory(dir *store.Dir, change func(inv *store.Inventory) error) (err error) {
	defer func() { release(dir, err) }()
	inv, err := dir.Inventory()
	if err != nil {
		return err
	}
	defer inv.Close()
	return change(inv)
}

// release frees the lock of a directory after a change that ended with err.
func release(dir *store.Dir, err error) {
	if err != nil {
		dir.Abandon()
	} else {
		dir.Unlock()
	}
}

// EncodeCertificates encodes certificates as PEM, one after the other.
func EncodeCertificates(certs ...*x509.Certificate) []byte {
	var data []byte
	for _, cert := range certs {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return data
}
