package ca

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// State says whether a certificate of the inventory is in force.
type State string

// The states of a certificate.
const (
	StateValid   State = "valid"
	StateExpired State = "expired"
	StateRevoked State = "revoked"
	// StateReplaced is a certificate in whose files there is another one now. It
	// authenticates until its end as before: who has a copy can use it.
	StateReplaced State = "replaced"
	// StateIncomplete is a serial whose certificate was never written: the
	// command that took it was killed.
	StateIncomplete State = "incomplete"
)

// States lists the states.
func States() []State {
	return []State{StateValid, StateReplaced, StateExpired, StateRevoked, StateIncomplete}
}

// ParseState returns the state with that name, none for an empty one.
func ParseState(name string) (State, error) {
	var names []string
	for _, state := range States() {
		if name == "" || name == string(state) {
			return State(name), nil
		}
		names = append(names, string(state))
	}
	return "", failure.New(failure.Usage, "choose one of "+strings.Join(names, ", "), "unknown state %q", name)
}

// Entry is one certificate of the inventory.
type Entry struct {
	Name       string     `json:"name"`
	CommonName string     `json:"commonName"`
	Groups     []string   `json:"groups,omitempty"`
	Profile    string     `json:"profile"`
	Key        string     `json:"key"`
	SANs       []string   `json:"sans,omitempty"`
	Serial     string     `json:"serial"`   // hexadecimal, as OpenSSL prints it
	IssuerID   string     `json:"issuerID"` // authority key identifier, as OpenSSL prints it
	NotBefore  time.Time  `json:"notBefore"`
	NotAfter   time.Time  `json:"notAfter"`
	IssuedAt   time.Time  `json:"issuedAt"`
	State      State      `json:"state"`
	RevokedAt  *time.Time `json:"revokedAt,omitempty"`
	Reason     string     `json:"reason,omitempty"` // of the revocation, as RFC 5280 (5.3.1) names it
	Out        string     `json:"out,omitempty"`    // path of its files without .crt and .key
	Also       []string   `json:"also,omitempty"`   // paths of other files that were written with it
	// Credential says that the command credential handed it out, which renews it.
	Credential bool `json:"credential,omitempty"`

	PEM string `json:"-"` // if ListOptions.WithPEM is set

	serial, aki string // as in the inventory
	superseded  bool   // a later one was issued for the same files
}

// ListOptions is what the command list takes; zero fields do not limit.
type ListOptions struct {
	Dir        string
	Expiring   time.Duration // only what was not replaced, and ends within this time or has ended within it; no credentials, which renew themselves
	Overdue    bool          // with Expiring: also what has ended longer ago
	CommonName string
	Name       string // the common name, or the name of its files
	Group      string
	State      State
	Serial     *big.Int
	Now        time.Time
	WithPEM    bool // also read the certificates themselves

	inFiles bool // only what was written to files
}

// List returns the certificates in the inventory of the CA in o.Dir, the first
// to end first.
func List(ctx context.Context, o ListOptions) ([]Entry, error) {
	var entries []Entry
	err := Each(ctx, o, func(entry *Entry) error {
		entries = append(entries, *entry)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Each has yield called with each certificate that List would return, in its
// order, until there is an error: for more of them than should be in memory at
// once. As long as it runs nobody can write to the inventory, so that yield does
// not wait for anything.
func Each(ctx context.Context, o ListOptions, yield func(*Entry) error) error {
	if _, err := Open(o.Dir); err != nil {
		return err
	}
	inv, err := store.OpenInventory(o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a CA that something else made
	}
	if err != nil {
		return err
	}
	defer inv.Close()
	return inv.Each(ctx, o.filter(), func(row *store.Row) error {
		entry, err := newEntry(*row, o.Dir, o.Now)
		if err != nil {
			return err
		}
		if !o.wants(entry.State, row.Superseded) {
			return nil
		}
		return yield(&entry)
	})
}

// wants says whether an entry that the filter let through is listed.
func (o ListOptions) wants(state State, superseded bool) bool {
	switch {
	case o.State != "":
		return state == o.State
	case o.Expiring > 0:
		return isInPlace(state, superseded)
	}
	return true
}

// isInPlace says whether a certificate is the last in its files: in force, or
// ended without having been replaced.
func isInPlace(state State, superseded bool) bool {
	return state == StateValid || (state == StateExpired && !superseded)
}

// CanBeDue says whether ListOptions.Expiring, and renewing by time, look at the
// certificate at all; when it ends is another question, which EndsWithin answers.
func (e Entry) CanBeDue() bool { return !e.Credential && isInPlace(e.State, e.superseded) }

// EndsWithin says whether an end is within that time, or has been within it, as
// ListOptions.Expiring counts.
func EndsWithin(end time.Time, within time.Duration, now time.Time) bool {
	return !end.Before(now.Add(-within)) && end.Before(now.Add(within))
}

// filter leaves out as much as the database can.
func (o ListOptions) filter() store.Filter {
	f := store.Filter{
		CommonName: o.CommonName, Name: o.Name, Group: o.Group, WithPEM: o.WithPEM,
		NoCredentials: o.inFiles || o.Expiring > 0,
	}
	if o.Serial != nil {
		f.Serial = o.Serial.String()
	}
	switch o.State {
	case StateRevoked:
		f.Status = store.StatusRevoked
	case StateIncomplete:
		f.Status = store.StatusReserved
	case StateValid, StateReplaced:
		f.EndsAfter = o.Now
	case StateExpired:
		f.EndsBefore = o.Now
	}
	if o.Expiring > 0 {
		f.EndsAfter = o.Now.Add(-o.Expiring)
		f.EndsBefore = o.Now.Add(o.Expiring)
		switch {
		case o.State != "":
			f.EndsAfter = o.Now
		case o.Overdue:
			f.EndsAfter = time.Time{}
		}
	}
	return f
}

func newEntry(row store.Row, dir string, now time.Time) (Entry, error) {
	entry := Entry{
		CommonName: row.CommonName.String,
		Serial:     hexSerial(row.Serial),
		IssuerID:   colonAKI(row.AKI),
		NotAfter:   row.Expiry.UTC(),
		PEM:        row.PEM,
		serial:     row.Serial,
		aki:        row.AKI,
		superseded: row.Superseded,
	}
	if row.NotBefore != nil {
		entry.NotBefore = row.NotBefore.UTC()
	}
	if row.IssuedAt != nil {
		entry.IssuedAt = row.IssuedAt.UTC()
	}
	// Rows of cfssl itself have other metadata, or none.
	var meta Metadata
	if len(row.MetadataJSON) > 0 {
		if err := json.Unmarshal(row.MetadataJSON, &meta); err != nil {
			return entry, damagedRow(err, "metadata", entry.Serial)
		}
	}
	if len(row.SANsJSON) > 0 {
		if err := json.Unmarshal(row.SANsJSON, &entry.SANs); err != nil {
			return entry, damagedRow(err, "names", entry.Serial)
		}
	}
	entry.Name = cmp.Or(meta.Name, entry.CommonName)
	entry.Groups, entry.Profile, entry.Key = meta.Groups, meta.Profile, meta.Key
	entry.Out, entry.Credential = recordedIn(dir, meta.Out), meta.Credential
	for _, path := range meta.Also {
		entry.Also = append(entry.Also, recordedIn(dir, path))
	}
	entry.State = stateOf(row, entry, now)
	if entry.State == StateRevoked {
		at := row.RevokedAt.UTC()
		entry.RevokedAt, entry.Reason = &at, reasonName(row.Reason)
	}
	return entry, nil
}

func damagedRow(err error, what, serial string) error {
	return failure.Wrap(err, failure.Failed, "restore inventory.db from a backup",
		"the %s of serial %s in the inventory are damaged", what, serial)
}

func stateOf(row store.Row, entry Entry, now time.Time) State {
	switch {
	case row.Status == store.StatusReserved:
		return StateIncomplete
	case row.Status == store.StatusRevoked:
		return StateRevoked
	case now.After(row.Expiry):
		return StateExpired
	case row.Superseded && !entry.isInFile():
		return StateReplaced
	}
	return StateValid
}

// isInFile says whether the certificate is in its file. It is, though a later
// one was issued for the same file, where the command that did so was killed
// before the files changed places, or where the file was restored.
func (e Entry) isInFile() bool {
	cert, err := ReadCertificate(e.Out + ".crt")
	return err == nil && cert.SerialNumber.String() == e.serial && hex.EncodeToString(cert.AuthorityKeyId) == e.aki
}

// colonAKI turns cfssl's form of a key identifier into the usual one.
func colonAKI(aki string) string {
	octets, err := hex.DecodeString(aki)
	if err != nil {
		return aki
	}
	return colonHex(octets)
}

// hexSerial turns cfssl's decimal serial into the usual hexadecimal form.
func hexSerial(decimal string) string {
	serial, ok := new(big.Int).SetString(decimal, 10)
	if !ok {
		return decimal
	}
	return FormatSerial(serial)
}

// FormatSerial writes a serial number as OpenSSL does: upper-case hexadecimal
// with an even number of digits.
func FormatSerial(serial *big.Int) string {
	if serial.Sign() < 0 {
		return fmt.Sprintf("-%X", serial.Bytes())
	}
	if serial.Sign() == 0 {
		return "00"
	}
	return fmt.Sprintf("%X", serial.Bytes())
}
