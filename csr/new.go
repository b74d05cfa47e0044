package csr

import (
	"crypto"
	"errors"
	"io/fs"
	"os"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// NewOptions say what request is made, and where it goes.
type NewOptions struct {
	RequestOptions
	Out    string // path of the files without .key and .csr; empty: the common name, in the current directory
	Force  bool   // replace both
	DryRun bool
}

// NewResult is what New made.
type NewResult struct {
	KeyPath, RequestPath string
	RequestPEM           []byte // nil with DryRun, unless the key was there
	Key                  string // kind of the key
	Resumed              bool   // the key was there
}

// paths returns where key and request go.
func (o NewOptions) paths() (key, request string) {
	prefix := ca.IssueOptions{CommonName: o.CommonName, Out: o.Out}.Prefix()
	return prefix + ".key", prefix + ".csr"
}

// New makes a key and a certificate request, in files of mode 0600 and 0644. The
// key is on the disk before the request: killed in between, New goes on with
// that key. No file is overwritten unless Force is set.
func New(o NewOptions) (*NewResult, error) {
	request, err := o.request()
	if err != nil {
		return nil, err
	}
	r := &NewResult{Key: string(request.Key)}
	r.KeyPath, r.RequestPath = o.paths()
	if err := exists(store.CheckTargets(o.Force, r.RequestPath)); err != nil {
		return nil, err
	}
	if err := store.CheckTargets(true, r.KeyPath); err != nil {
		return nil, err
	}
	key, err := o.keyThere(r.KeyPath)
	if err != nil {
		return nil, err
	}
	if key == nil && o.DryRun {
		return r, nil
	}
	if key == nil {
		if key, err = o.newKey(request, r); err != nil {
			return nil, err
		}
	} else {
		r.Resumed, r.Key = true, ca.KeyName(key.Public())
	}
	if r.RequestPEM, err = request.Sign(key); err != nil || o.DryRun {
		return r, err
	}
	return r, exists(store.WriteNew(r.RequestPath, r.RequestPEM, 0o644))
}

// newKey makes the key and brings it to the disk.
func (o NewOptions) newKey(request ca.Request, r *NewResult) (crypto.Signer, error) {
	key, err := ca.GenerateKey(request.Key)
	if err != nil {
		return nil, err
	}
	keyPEM, err := ca.MarshalKey(key)
	if err != nil {
		return nil, err
	}
	if !o.Force {
		return key, exists(store.WriteNew(r.KeyPath, keyPEM, 0o600))
	}
	// The old request first: there is never one beside a key that is not its own.
	if err := os.Remove(r.RequestPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, failure.Wrap(err, failure.Failed, "check owner and mode of the directory", "cannot replace %q", r.RequestPath)
	}
	return key, store.WriteFile(r.KeyPath, keyPEM, 0o600)
}

// keyThere returns the key that an interrupted run has left, nil where there is
// none or it is to be replaced.
func (o NewOptions) keyThere(path string) (crypto.Signer, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) || o.Force {
		return nil, nil
	}
	const hint = "make a request with it yourself: openssl req -new -key FILE; or choose other names with --out"
	info, err := ca.KeyBeside(path)
	if err != nil {
		return nil, err
	}
	if info.Public == nil {
		return nil, failure.New(failure.Failed, hint, "%q is encrypted or in a token, and no key that pkictl csr new has made", path)
	}
	key, err := ca.ReadKey(path, nil)
	if err != nil {
		return nil, err
	}
	if kind := ca.KeyName(key.Public()); o.Key != "" && o.Key != kind {
		return nil, failure.New(failure.Failed, "leave --key out to go on with it, replace it with --force, or choose other names with --out",
			"%q exists and is of kind %s, not %s", path, kind, o.Key)
	}
	return key, nil
}

func exists(err error) error {
	var there *store.ExistsError
	if !errors.As(err, &there) {
		return err
	}
	return failure.New(failure.Failed, "send the request with: pkictl csr submit FILE; or replace key and request with --force, or choose other names with --out",
		"%q exists", there.Path)
}

// ExplainNew returns the openssl commands, for a POSIX shell, that do what New
// does.
func ExplainNew(o NewOptions) (string, error) {
	request, err := o.request()
	if err != nil {
		return "", err
	}
	keyPath, requestPath := o.paths()
	key, err := o.keyThere(keyPath)
	if err != nil {
		return "", err
	}
	return request.ExplainSign(keyPath, requestPath, key != nil), nil
}
