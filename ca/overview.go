package ca

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/pkictl/pkictl/internal/store"
)

// Overview is what a PKI directory holds, at a glance.
type Overview struct {
	CA *CA
	// Key describes the file with the CA's key; nil where there is none, as on a
	// machine that only keeps the inventory, or where KeyErr says why not.
	Key    *KeyInfo
	KeyErr error

	Certificates int // that the CA has issued, its own not counted
	Valid        int // neither ended nor revoked
	Expiring     int // of these, those that end soon, and were not replaced
	Expired      int
	Revoked      int
	Incomplete   int    // serials that were taken by a command which was killed
	Next         *Entry // the first to end of those that were not replaced; nil for none
}

// NewOverview looks into a PKI directory, nil where there is no CA in it. It
// counts in the inventory without listing it; within says what ends soon. No
// passphrase is asked for.
func NewOverview(ctx context.Context, dir string, within time.Duration, now time.Time) (*Overview, error) {
	if _, err := os.Stat(CertPath(dir)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	authority, err := Open(dir)
	if err != nil {
		return nil, err
	}
	o := &Overview{CA: authority}
	if o.Key, o.KeyErr = KeyBeside(authority.KeyPath()); errors.Is(o.KeyErr, fs.ErrNotExist) {
		o.KeyErr = nil
	}
	inv, err := store.OpenInventory(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil // a CA that something else made
	}
	if err != nil {
		return nil, err
	}
	defer inv.Close()
	s, err := inv.Summarize(ctx, now, within, authority.Certificate.SerialNumber.String())
	if err != nil {
		return nil, err
	}
	o.Certificates, o.Valid, o.Expiring = s.All, s.Valid, s.Expiring
	o.Expired, o.Revoked, o.Incomplete = s.Expired, s.Revoked, s.Incomplete
	if s.Next != nil {
		entry, err := newEntry(*s.Next, dir, now)
		if err != nil {
			return nil, err
		}
		o.Next = &entry
	}
	return o, nil
}

// Protection says in words how the CA's key is kept.
func (o *Overview) Protection() string {
	switch {
	case o.KeyErr != nil:
		return "key cannot be read"
	case o.Key == nil:
		return "key not here"
	case o.Key.Encrypted:
		return "key encrypted"
	case o.Key.Token != "":
		return "key in a PKCS#11 token"
	}
	return "key not encrypted"
}
