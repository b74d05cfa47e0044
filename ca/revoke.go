package ca

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// RevokeOptions is what the command revoke takes.
type RevokeOptions struct {
	Dir string
	// Name is a serial number in hexadecimal, a common name, the name of the
	// certificate's files, or the path of its .crt.
	Name    string
	AKI     string // key identifier of the issuer, where one serial stands twice
	Reason  string // as RFC 5280 (5.3.1) names it, or in-this-form; empty: unspecified
	DryRun  bool   // do everything but write
	Now     time.Time
	Waiting func() // called when the directory is locked by another
	// Confirm is shown what would be revoked, and returns an error to leave it.
	// It may be nil.
	Confirm func(Revocation) error
}

// Revocation says what was, or would be, revoked.
type Revocation struct {
	Entry                         // of the inventory, with reason and time of the revocation
	Subject     string            `json:"subject"`
	Files       []string          `json:"files,omitempty"`          // that hold it or its key
	Already     bool              `json:"alreadyRevoked,omitempty"` // and nothing was changed
	Replaced    []string          `json:"replaced,omitempty"`       // serials of its predecessors, which still authenticate
	Advice      []string          `json:"advice"`                   // who takes no notice of the revocation, and what helps
	Certificate *x509.Certificate `json:"-"`                        // nil of one that was never written
}

// Revoke marks one certificate in the inventory as revoked. The CA's next
// revocation list will have it. A certificate that is revoked for the same
// reason is no error.
func Revoke(ctx context.Context, o RevokeOptions) (*Revocation, error) {
	o.Dir = cmp.Or(o.Dir, DefaultDir)
	reason, err := parseReason(o.Reason)
	if err != nil {
		return nil, err
	}
	if !o.DryRun {
		if err := store.Recover(ctx, o.Dir, o.Waiting); err != nil {
			return nil, err
		}
	}
	authority, err := Open(o.Dir)
	if err != nil {
		return nil, err
	}
	r, err := o.find(ctx, authority, reason)
	if err != nil || r.Already {
		return r, err
	}
	if o.Confirm != nil {
		if err := o.Confirm(*r); err != nil {
			return nil, err
		}
	}
	if !o.DryRun {
		if err := o.record(ctx, r, reason); err != nil {
			return nil, err
		}
	}
	at := o.Now.UTC().Truncate(time.Second)
	r.State, r.RevokedAt = StateRevoked, &at
	return r, nil
}

// record is the change itself. Nobody holds the lock while a question waits for
// its answer, so the row may have changed.
func (o RevokeOptions) record(ctx context.Context, r *Revocation, reason int) error {
	dir, err := store.Lock(ctx, o.Dir, o.Waiting)
	if err != nil {
		return err
	}
	return withInventory(dir, func(inv *store.Inventory) error {
		if err := inv.Revoke(r.serial, r.aki, reason, o.Now); err != nil {
			return failure.Wrap(err, failure.Failed, "see what it is now with: pkictl list --state revoked", "cannot revoke serial %s", r.Serial)
		}
		return nil
	})
}

// find returns the one certificate that the options name, if it may be revoked.
func (o RevokeOptions) find(ctx context.Context, authority *CA, reason int) (*Revocation, error) {
	entries, err := o.candidates(ctx)
	if err != nil {
		return nil, err
	}
	entry, err := o.choose(entries)
	if err != nil {
		return nil, err
	}
	r := newRevocation(entry)
	if entry.State == StateValid {
		// A serial names one alone; its predecessors are known by their files.
		others, err := relatives(ctx, entry, LookOptions{Dir: o.Dir, Now: o.Now})
		if err != nil {
			return nil, err
		}
		for _, other := range append(entries, others...) {
			if other.State == StateReplaced && !slices.Contains(r.Replaced, other.Serial) {
				r.Replaced = append(r.Replaced, other.Serial)
			}
		}
	}
	if own := authority.Certificate; entry.serial == own.SerialNumber.String() && (r.Certificate == nil || r.Certificate.Equal(own)) {
		return nil, failure.New(failure.Refused, "have the CA above revoke it, or those who trust it stop to; then make a new one with: pkictl init-ca",
			"%q is the CA itself, and no one heeds what it says of its own end", o.Name)
	}
	switch {
	case entry.State == StateRevoked && (o.Reason == "" || entry.Reason == reasonName(reason)):
		r.Already = true
		return r, nil
	case entry.State == StateRevoked:
		return nil, failure.New(failure.Failed, "it stays as it is; a reason is not changed afterwards",
			"serial %s, %s, was revoked on %s for the reason %s", entry.Serial, r.Subject, showTime(*entry.RevokedAt), entry.Reason)
	case entry.State == StateExpired:
		return nil, failure.New(failure.Failed, "see what is in force with: pkictl list --state valid",
			"serial %s, %s, ended on %s, so that no one accepts it", entry.Serial, r.Subject, showTime(entry.NotAfter))
	case crlReasons[2] == reasonName(reason) && (r.Certificate == nil || !r.Certificate.IsCA):
		return nil, failure.New(failure.Usage, "use --reason "+reasonKeyCompromise, "the reason %s is for the certificate of a CA, and %s is none", reasonCACompromise, r.Subject)
	}
	if entry.aki != authority.aki() {
		r.Advice = append(r.Advice, "Its issuer has another key identifier than the CA in "+o.Dir+", whose revocation list it will not be on.")
	}
	r.Reason = reasonName(reason)
	return r, nil
}

// candidates returns all that the name may mean.
func (o RevokeOptions) candidates(ctx context.Context) ([]Entry, error) {
	list := ListOptions{Dir: o.Dir, Now: o.Now, WithPEM: true}
	var wanted []ListOptions
	if cert := o.file(); cert != nil {
		list.Serial = cert.SerialNumber
		wanted = append(wanted, list)
	} else {
		serials, isSerial, err := ParseSerials(o.Name)
		if err != nil {
			return nil, err
		}
		for _, serial := range serials {
			bySerial := list
			bySerial.Serial = serial
			wanted = append(wanted, bySerial)
		}
		if !isSerial {
			list.Name = strings.TrimSuffix(o.Name, ".crt")
			wanted = append(wanted, list)
		}
	}
	var entries []Entry
	seen := map[[2]string]bool{}
	aki := strings.ToLower(strings.ReplaceAll(o.AKI, ":", ""))
	for _, list := range wanted {
		found, err := List(ctx, list)
		if err != nil {
			return nil, err
		}
		for _, entry := range found {
			key := [2]string{entry.serial, entry.aki}
			if !seen[key] && (aki == "" || entry.aki == aki) {
				entries = append(entries, entry)
			}
			seen[key] = true
		}
	}
	if entries == nil {
		return nil, o.notFound(ctx)
	}
	return entries, nil
}

// file reads the certificate that the name is the path of, if it is one.
func (o RevokeOptions) file() *x509.Certificate {
	if !strings.HasSuffix(o.Name, ".crt") && !strings.HasSuffix(o.Name, ".pem") {
		return nil
	}
	cert, err := ReadCertificate(o.Name)
	if err != nil {
		return nil // then it is a name
	}
	return cert
}

// choose returns the one that is meant: what is in force comes first.
func (o RevokeOptions) choose(entries []Entry) (Entry, error) {
	var live, revoked []Entry
	for _, entry := range entries {
		switch entry.State {
		case StateValid, StateReplaced, StateIncomplete:
			live = append(live, entry)
		case StateRevoked:
			revoked = append(revoked, entry)
		}
	}
	switch {
	case len(live) == 1:
		return live[0], nil
	case len(live) > 1:
		// Of one that was renewed, the name means the newest.
		inForce := slices.DeleteFunc(slices.Clone(live), func(e Entry) bool { return e.State != StateValid })
		if len(inForce) == 1 && !slices.ContainsFunc(live, func(e Entry) bool { return e.State == StateIncomplete }) {
			return inForce[0], nil
		}
		return Entry{}, o.ambiguous(live)
	case len(revoked) > 0: // the one that was last
		last := revoked[0]
		for _, entry := range revoked[1:] {
			if entry.RevokedAt.After(*last.RevokedAt) {
				last = entry
			}
		}
		return last, nil
	}
	return entries[0], nil
}

// ambiguous says what a name may mean.
func (o RevokeOptions) ambiguous(entries []Entry) error {
	const shown = 10
	var lines []string
	oneSerial := true
	for i, entry := range entries {
		oneSerial = oneSerial && entry.serial == entries[0].serial
		if i < shown {
			lines = append(lines, fmt.Sprintf("serial %s, %s, issued on %s, %s until %s", entry.Serial, newRevocation(entry).Subject,
				showTime(entry.IssuedAt), entry.State, showTime(entry.NotAfter)))
		}
	}
	if more := len(entries) - shown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	hint := "give the serial, as in: pkictl revoke " + entries[0].Serial
	if oneSerial {
		hint = "CAs of two key identifiers have issued it; say which, as in: --aki " + entries[0].IssuerID
	}
	return failure.New(failure.Failed, hint, "%q names %d certificates: %s", o.Name, len(entries), strings.Join(lines, "; "))
}

// notFound looks for similar names.
func (o RevokeOptions) notFound(ctx context.Context) error {
	hint := "see what there is with: pkictl list"
	if len(o.Name) >= 3 {
		if names, err := Names(ctx, o.Dir, o.Name[:3], o.Now, 5); err == nil && len(names) > 0 {
			hint = "did you mean " + strings.Join(names, ", ") + "? see what there is with: pkictl list"
		}
	}
	what := "no certificate of the name or serial %q"
	if o.AKI != "" {
		what += " with that issuer"
	}
	return failure.New(failure.Failed, hint, "the inventory of %q has "+what, o.Dir, o.Name)
}

// Names returns up to limit names of certificates in force in the inventory of
// the CA in dir, common names and names of files, that begin with a prefix.
func Names(ctx context.Context, dir, prefix string, now time.Time, limit int) ([]string, error) {
	inv, err := store.OpenInventory(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer inv.Close()
	return inv.Names(ctx, prefix, now, limit)
}

func newRevocation(entry Entry) *Revocation {
	r := &Revocation{Entry: entry}
	if block, _ := pem.Decode([]byte(entry.PEM)); block != nil {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			r.Certificate, r.Subject = cert, FormatName(cert.RawSubject)
		}
	}
	if r.Subject == "" {
		if raw, err := subject(entry.Groups, entry.CommonName); err == nil {
			r.Subject = FormatName(raw)
		}
	}
	if entry.Out != "" && entry.isInFile() {
		r.Files = append(r.Files, entry.Out+".crt")
		if _, err := os.Lstat(entry.Out + ".key"); err == nil {
			r.Files = append(r.Files, entry.Out+".key")
		}
	}
	r.Advice = advice(entry, r.Certificate)
	if entry.Credential {
		r.Advice = append(r.Advice, "The command credential hands it out until it is due, from the cache of whoever has it: run it there with --renew.")
	}
	return r
}
