package ca

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/store"
)

// ExportOptions is what the command export takes.
type ExportOptions struct {
	Dir string
	// Export is the form. Where it is a Secret without a name, that of the
	// certificate's files serves; for a password that is not there Password asks.
	Export
	File   string // where it goes; empty: beside the certificate; "-": to the caller
	Force  bool   // replace a file that is there
	DryRun bool   // do everything but ask for a password, encode and write
	Now    time.Time
	// Waiting is called when the directory is locked by another.
	Waiting func()
	// Password is asked for that of a PKCS#12 file. It may be nil.
	Password Passphrase
}

// Exported says what was, or would be, exported.
type Exported struct {
	*Holding
	Export   Export // with the name of a Secret, and without the password
	File     string // "-": Data has it
	Data     []byte
	Warnings []string
}

// HoldingFor returns the certificate of the CA that a user names by its serial
// number in hexadecimal, by the path of its file, by the name of its files in the
// PKI directory, or by its common name.
func (c *CA) HoldingFor(ctx context.Context, name string, now time.Time) (*Holding, error) {
	if isFile(name) {
		return c.HoldingAt(ctx, name, now)
	}
	h, isCertain, err := c.holdingOfSerial(ctx, name, now)
	if err != nil || h != nil {
		return h, err
	}
	if isCertain {
		return nil, failure.New(failure.Failed, "see what there is with: pkictl list", "the inventory of %q has no certificate with serial %s", c.Dir, name)
	}
	return c.HoldingNamed(ctx, name, now)
}

// holdingOfSerial returns the certificate with that serial, nil if there is
// none. A name of files that looks like a serial is no serial.
func (c *CA) holdingOfSerial(ctx context.Context, name string, now time.Time) (h *Holding, isCertain bool, err error) {
	serials, isCertain, err := ParseSerials(name)
	if err != nil {
		return nil, isCertain, err
	}
	if !isCertain && isFile(filepath.Join(c.Dir, name+".crt")) {
		return nil, false, nil
	}
	for _, serial := range serials {
		entries, err := List(ctx, ListOptions{Dir: c.Dir, Serial: serial, Now: now, WithPEM: true})
		if err != nil {
			return nil, isCertain, err
		}
		for _, entry := range entries {
			if entry.State == StateIncomplete {
				return nil, isCertain, failure.New(failure.Failed, "see what there is with: pkictl list --state valid",
					"serial %s was taken by a command that was killed; there is no certificate with it", entry.Serial)
			}
			certs, err := parseCertificates([]byte(entry.PEM), "inventory")
			if err != nil {
				return nil, isCertain, err
			}
			if entry.aki != c.aki() && !c.hasSigned(certs[0]) {
				continue
			}
			h, err := c.HoldingOf(ctx, certs[0], now)
			return h, isCertain, err
		}
	}
	return nil, isCertain, nil
}

// Export writes a certificate that was issued before, with its key, to one file
// of mode 0600. A key that is encrypted, in a token or elsewhere is refused.
func (c *CA) Export(ctx context.Context, h *Holding, o ExportOptions) (*Exported, error) {
	keyPEM, err := h.readKey()
	if err != nil {
		return nil, err
	}
	defer clear(keyPEM)
	result, err := o.plan(h)
	if err != nil || o.DryRun {
		return result, err
	}
	if err := o.askPassword(); err != nil {
		return nil, err
	}
	defer clear(o.Export.Password)
	o.Name = result.Export.Name
	if err := o.Validate(); err != nil {
		return nil, err
	}
	credential := c.credential(h.Certificate, keyPEM)
	if credential.CertPEM, err = h.withChain(credential); err != nil {
		return nil, err
	}
	data, err := o.Encode(credential)
	if err != nil {
		return nil, err
	}
	if result.File == "-" {
		result.Data = data
		return result, nil
	}
	return result, o.write(ctx, store.File{Path: result.File, Data: data, Mode: 0o600})
}

func (o ExportOptions) write(ctx context.Context, file store.File) (err error) {
	dir, err := store.Lock(ctx, o.Dir, o.Waiting)
	if err != nil {
		return err
	}
	defer func() { release(dir, err) }()
	return existsError(dir.Commit([]store.File{file}, o.Force, nil))
}

// plan checks what can be checked without the password.
func (o ExportOptions) plan(h *Holding) (*Exported, error) {
	prefix := h.Prefix()
	result := &Exported{Holding: h, Export: o.Export, File: cmp.Or(o.File, prefix+o.Form.Extension())}
	result.Export.Password = nil
	if o.Form.IsSecret() {
		result.Export.Name = cmp.Or(o.Name, SecretName(filepath.Base(prefix)))
		if err := result.Export.Validate(); err != nil {
			return nil, err
		}
	}
	if _, isForm := ParseExportForm(string(o.Form)); !isForm {
		return nil, failure.New(failure.Usage, "choose one of "+exportFormNames(), "unknown form %q", o.Form)
	}
	if !o.Now.Before(h.Certificate.NotAfter) {
		result.Warnings = append(result.Warnings, "the certificate ended on "+showTime(h.Certificate.NotAfter))
	}
	if result.File == "-" {
		return result, nil
	}
	for _, own := range []string{h.CertPath, h.KeyPath, CertPath(o.Dir), KeyPath(o.Dir), ChainPath(o.Dir), store.InventoryPath(o.Dir)} {
		if isSameFile(result.File, own) {
			return nil, failure.New(failure.Usage, "choose another name with --export", "the export of %q would replace %q", h.Name, own)
		}
	}
	err := store.CheckTargets(o.Force, result.File)
	var exists *store.ExistsError
	if errors.As(err, &exists) {
		return nil, failure.New(failure.Failed, "replace it with --force, or choose another name with --export", "%q exists", exists.Path)
	}
	return result, err
}

// askPassword asks for the password of a PKCS#12 file that nobody has given.
func (o *ExportOptions) askPassword() error {
	if o.Form != ExportPKCS12 || len(o.Export.Password) > 0 {
		return nil
	}
	var err error
	o.Export.Password, err = askFor(o.Password, "the PKCS#12 file",
		failure.New(failure.Usage, "put it in a file for --export-passphrase-file, or in PKICTL_EXPORT_PASSPHRASE", "a PKCS#12 file needs a password"))
	return err
}

// Prefix is the path of the certificate's file without what tells what it is.
func (h *Holding) Prefix() string {
	return strings.TrimSuffix(strings.TrimSuffix(h.CertPath, ".crt"), ".pem")
}

// readKey returns the key beside the certificate, in PEM, which has to be that
// of the certificate.
func (h *Holding) readKey() ([]byte, error) {
	if h.CertPath == "" {
		hint := "issue a new one with: pkictl issue"
		if len(h.Also) > 0 {
			hint = "see what holds it with: pkictl inspect " + shell.Quote(h.Also[0])
		}
		return nil, failure.New(failure.Failed, hint, "the certificate of %q is in no file of its own, with a key beside it", h.Name)
	}
	data, err := store.Read(h.KeyPath, store.MaxPEM)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, failure.New(failure.Failed, "export it where its key is; that of a certificate request is with its owner",
			"there is no key %q beside the certificate", h.KeyPath)
	}
	if err != nil {
		return nil, err
	}
	defer clear(data)
	items, err := Decode(data, h.KeyPath)
	if err != nil {
		return nil, err
	}
	info := PrivateKey(items)
	if info == nil {
		return nil, failure.New(failure.Failed, "a key file begins with -----BEGIN PRIVATE KEY-----", "%q holds no private key", h.KeyPath)
	}
	if why := info.hidden(); why != "" {
		hint := "write the file with openssl, which asks for the passphrase: openssl pkcs12 -export -inkey " + shell.Quote(h.KeyPath) + " -in " + shell.Quote(h.CertPath)
		if !info.Encrypted {
			hint = "a key never leaves its token; let what needs the certificate use the token"
		}
		return nil, failure.New(failure.Failed, hint, "key %q %s", h.KeyPath, why)
	}
	if !EqualKeys(info.Public, h.Certificate.PublicKey) {
		return nil, failure.New(failure.Failed, "restore the pair from a backup, or issue a new one with: pkictl issue --force",
			"key %q does not belong to certificate %q", h.KeyPath, h.CertPath)
	}
	// In the one form in which pkictl writes keys.
	key, err := ParseKey(data, h.KeyPath, nil)
	if err != nil {
		return nil, err
	}
	return MarshalKey(key)
}

// ExplainExport returns the openssl or kubectl commands, for a POSIX shell, that
// do what Export does. The password is an argument of openssl -passout; where it
// is empty openssl asks.
func (c *CA) ExplainExport(h *Holding, o ExportOptions, password string) (string, error) {
	if h.CertPath == "" {
		_, err := h.readKey()
		return "", err
	}
	o.Force = true // a recipe replaces what it is told to
	result, err := o.plan(h)
	if err != nil {
		return "", err
	}
	paths := ExportPaths{Dir: o.Dir, Cert: h.CertPath, Key: h.KeyPath, File: result.File, Password: password}
	if paths.File == "-" {
		paths.File = ""
	}
	return result.Export.Explain(paths), nil
}
