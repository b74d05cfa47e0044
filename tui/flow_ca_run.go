package tui

import (
	"cmp"
	"context"
	"crypto/rand"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
)

// nameCAKey is what a passphrase for a new CA is asked for as, where only
// whether there is one is of interest.
const nameCAKey = "the new key"

// loadGiven finds out whether the key is encrypted without being asked for.
func (f *flowCA) loadGiven(context.Context) error {
	given, err := f.isGiven(nameCAKey)
	f.given.Store(given)
	return err
}

// options are what init-ca would be given.
func (f *flowCA) options() ca.InitOptions {
	o := ca.InitOptions{Dir: f.pkiDir(), Now: f.Now(), MustEncrypt: f.encrypts(), OpenSSLPass: f.opensslPass(variablePassphrase)}
	switch f.what {
	case flowCAImportDir:
		o.ImportDir = f.from
		return o
	case flowCAImportFiles:
		o.ImportDir, o.CertFile, o.KeyFile = f.from, f.cert, f.key
		return o
	case flowCAIntermediate:
		o.Parent = f.parentDir()
	}
	o.CommonName, o.Organizations, o.Key, o.Validity = f.commonName, f.organizations, f.keyKind, f.validity
	o.PermitDNS, o.PermitIPs = f.permitDNS, f.permitIP
	if n, err := strconv.Atoi(f.pathLength); err == nil {
		o.PathLength = &n
	}
	return o
}

// encrypts says whether the user wants the key encrypted, whatever is given.
func (f *flowCA) encrypts() bool { return f.encrypt && !f.given.Load() }

func (f *flowCA) command() []string {
	args := append([]string{"init-ca"}, f.dirFlag(f.pkiDir())...)
	switch f.what {
	case flowCAImportDir:
		args = append(args, flag("import", f.from)...)
	case flowCAImportFiles:
		args = append(args, flag("cert", f.cert)...)
		args = append(args, flag("key", f.key)...)
		args = append(args, flag("import", f.from)...)
	case flowCAIntermediate:
		args = append(args, flag("parent", f.parentDir())...)
	}
	if !f.isImport() {
		args = append(args, f.commandMade()...)
	}
	if f.encrypts() {
		args = append(args, "--encrypt-key")
	}
	return append(args, f.passphraseFlag()...)
}

// commandMade says how a CA is made.
func (f *flowCA) commandMade() []string {
	args := flag("cn", f.commonName)
	args = append(args, flag("org", f.organizations...)...)
	if f.keyKind != string(ca.ECDSAP256) {
		args = append(args, flag("key", f.keyKind)...)
	}
	args = append(args, flag("validity", f.validity)...)
	pathLength := f.pathLength
	if n, err := strconv.Atoi(pathLength); err == nil {
		pathLength = strconv.Itoa(n) // a leading 0 would make it octal
	}
	args = append(args, flag("path-length", pathLength)...)
	args = append(args, flag("permit-dns", f.permitDNS...)...)
	return append(args, flag("permit-ip", f.permitIP...)...)
}

func (f *flowCA) explain(context.Context) (string, error) {
	if err := answersError(f.made); err != nil {
		return "", err
	}
	o := f.options()
	given, err := f.isGiven(nameCAKey)
	if err != nil {
		return "", err
	}
	if f.encrypts() || given {
		o.NewPassphrase = standInPassphrase // it is looked at whether there is one
	}
	return ca.ExplainInit(o)
}

// standInPassphrase serves where a key is made that is thrown away: a review
// does not ask for what would be typed a second time.
func standInPassphrase(string) ([]byte, error) { return []byte(rand.Text()), nil }

// jobOptions are the options with what asks for passphrases.
func (f *flowCA) jobOptions(j *job, ask ca.Passphrase) (ca.InitOptions, error) {
	o := f.options()
	o.Passphrase, o.Waiting = j.passphrase, func() { j.waiting(o.Dir) }
	if o.Parent != "" {
		o.Waiting = func() { j.waiting(o.Dir + " or " + o.Parent) }
	}
	given, err := f.isGiven(nameCAKey)
	switch {
	case err != nil:
		return o, err
	case given:
		o.NewPassphrase = j.newPassphrase
	case f.encrypts():
		o.NewPassphrase = ask
	}
	return o, nil
}

func (f *flowCA) review(ctx context.Context, j *job) (*review, error) {
	if err := answersError(f.made); err != nil {
		return nil, err
	}
	o, err := f.jobOptions(j, standInPassphrase)
	if err != nil {
		return nil, err
	}
	asked := ""
	if o.DryRun = true; !f.isImport() { // of what is taken over the key is looked at
		o.Passphrase = f.askLater(j, &asked)
	}
	j.begin("Checking what would be made")
	result, err := ca.Init(ctx, o)
	if err != nil {
		return nil, err
	}
	r := &review{rows: slices.Concat(f.rows(result, o), recordedRow(cmp.Or(o.Parent, o.Dir)), laterRow(asked)), writes: f.writes(o, result), warnings: result.Warnings, question: "Make this CA?"}
	if result.Imported != nil {
		r.question = "Take over this CA?"
	}
	return r, nil
}

func (f *flowCA) writes(o ca.InitOptions, r *ca.InitResult) []fileToBe {
	var files []fileToBe
	if r.Imported == nil || !r.Imported.InPlace {
		what := "its key"
		if r.Encrypted {
			what += ", encrypted"
		}
		files = append(files, fileWritten(r.KeyPath, 0o600, what))
		if r.ChainPath != "" {
			files = append(files, fileWritten(r.ChainPath, 0o644, "its certificate and those above it"))
		}
		files = append(files, fileWritten(r.CertPath, 0o644, "its certificate, for all who are to trust it"))
	}
	if path := store.InventoryPath(o.Dir); !hasPath(path) {
		files = append(files, fileToBe{path: path, mode: 0o600, what: "record of what it issues"})
	}
	return files
}

func (f *flowCA) run(ctx context.Context, j *job) (*outcome, error) {
	if err := answersError(f.made); err != nil {
		return nil, err
	}
	o, err := f.jobOptions(j, j.newPassphrase)
	if err != nil {
		return nil, err
	}
	j.begin("Making the CA in " + o.Dir)
	result, err := ca.Init(ctx, o)
	if err != nil {
		return nil, err
	}
	did := "Made a certificate authority"
	if i := result.Imported; i != nil {
		did = "Imported a certificate authority"
		if i.From != "" {
			did += " of " + i.From
		}
	}
	j.done(did)
	return &outcome{headline: did, rows: f.rows(result, o), warnings: result.Warnings, text: f.advice(result), next: f.next(o, result)}, nil
}

// rows are those of init-ca.
func (f *flowCA) rows(r *ca.InitResult, o ca.InitOptions) []row {
	cert := r.Certificate
	issuer, pathLength, fingerprint := ca.FormatName(cert.RawIssuer), "", ""
	if issuer == ca.FormatName(cert.RawSubject) {
		issuer = ""
	}
	if cert.MaxPathLen >= 0 {
		pathLength = strconv.Itoa(cert.MaxPathLen)
	}
	if !o.DryRun || r.Imported != nil {
		fingerprint = ca.Fingerprint(cert)
	}
	keyPath := r.KeyPath
	if r.Encrypted {
		keyPath += " (encrypted)"
	}
	rows := []row{
		{"subject", ca.FormatName(cert.RawSubject)},
		{"issuer", issuer},
		{"key", ca.KeyName(cert.PublicKey)},
		{"ends", ca.FormatEnd(cert.NotAfter, o.Now)},
		{"path length", pathLength},
		{"permitted names", strings.Join(ca.PermittedNames(cert), ", ")},
		{"SHA-256", fingerprint},
		{"certificate", r.CertPath},
		{"private key", keyPath},
		{"chain", r.ChainPath},
	}
	if r.Imported != nil {
		for _, line := range r.Imported.Summary(o.DryRun) {
			rows = append(rows, row{line[0], line[1]})
		}
	}
	return someRows(rows...)
}

func (f *flowCA) next(o ca.InitOptions, r *ca.InitResult) []nextStep {
	dir := f.dirFlag(o.Dir)
	next := []nextStep{{
		why:  "Issue a certificate from it, such as that of an administrator",
		open: func(w *world) screen { return newForm(w, newFlowCredentialIn(w, o.Dir)) },
	}}
	if r.Imported != nil {
		next = append(next, nextStep{why: "See what it has issued", args: append([]string{f.Program, "list"}, dir...)})
	}
	if r.ChainPath != "" {
		next = append(next, nextStep{why: "Let others see who stands above it", args: append([]string{f.Program, "inspect"}, r.ChainPath)})
	}
	return next
}

// advice says what no command does.
func (f *flowCA) advice(r *ca.InitResult) string {
	lines := []string{"Keep a copy of the key offline. Whoever has it can make", "themselves administrator of all that trusts this CA."}
	if r.Encrypted {
		lines = []string{"Keep a copy of the key offline, and its passphrase", "elsewhere. Without both this CA can issue nothing more."}
	}
	if r.ChainPath != "" {
		lines = append(lines, "Who is to trust this CA alone needs "+filepath.Base(r.ChainPath)+".", "Whoever trusts the root accepts what it issues.")
	}
	return strings.Join(lines, "\n")
}
