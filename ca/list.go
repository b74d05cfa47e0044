package ca

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"time"

	"github.com/cloudflare/cfssl/certdb"

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
	// StateIncomplete is a serial whose certificate was never written: the
	// command that took it was killed.
	StateIncomplete State = "incomplete"
)

// Entry is one certificate of the inventory.
type Entry struct {
	Name       string    `json:"name"`
	CommonName string    `json:"commonName"`
	Groups     []string  `json:"groups,omitempty"`
	Profile    string    `json:"profile"`
	Key        string    `json:"key"`
	SANs       []string  `json:"sans,omitempty"`
	Serial     string    `json:"serial"` // hexadecimal, as OpenSSL prints it
	NotBefore  time.Time `json:"notBefore"`
	NotAfter   time.Time `json:"notAfter"`
	IssuedAt   time.Time `json:"issuedAt"`
	State      State     `json:"state"`
	Out        string    `json:"out,omitempty"`  // path of its files without .crt and .key, absolute or below the PKI directory
	Also       []string  `json:"also,omitempty"` // paths of other files with it, likewise

	PEM string `json:"-"`
}

// ListOptions is what the command list takes; zero fields do not limit.
type ListOptions struct {
	Dir        string
	Expiring   time.Duration // only what is in force and ends within this time
	CommonName string
	Group      string
	Serial     *big.Int
	Now        time.Time
}

// List returns the certificates in the inventory of the CA in o.Dir, the first
// to end first.
func List(ctx context.Context, o ListOptions) ([]Entry, error) {
	if _, err := Open(o.Dir); err != nil {
		return nil, err
	}
	inv, err := store.OpenInventory(o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a CA that something else made
	}
	if err != nil {
		return nil, err
	}
	defer inv.Close()
	filter := store.Filter{CommonName: o.CommonName, Group: o.Group}
	if o.Serial != nil {
		filter.Serial = o.Serial.String()
	}
	if o.Expiring > 0 {
		filter.EndsAfter = o.Now
		filter.EndsBefore = o.Now.Add(o.Expiring)
	}
	records, err := inv.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(records))
	for _, record := range records {
		entry, err := newEntry(record, o.Now)
		if err != nil {
			return nil, err
		}
		if o.Expiring > 0 && entry.State != StateValid {
			continue
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

func newEntry(record certdb.CertificateRecord, now time.Time) (Entry, error) {
	entry := Entry{
		CommonName: record.CommonName.String,
		Serial:     hexSerial(record.Serial),
		NotAfter:   record.Expiry.UTC(),
		State:      stateOf(record, now),
		PEM:        record.PEM,
	}
	if record.NotBefore != nil {
		entry.NotBefore = record.NotBefore.UTC()
	}
	if record.IssuedAt != nil {
		entry.IssuedAt = record.IssuedAt.UTC()
	}
	// Rows of cfssl itself have other metadata, or none.
	var meta Metadata
	if len(record.MetadataJSON) > 0 {
		if err := json.Unmarshal(record.MetadataJSON, &meta); err != nil {
			return entry, damagedRow(err, "metadata", entry.Serial)
		}
	}
	if len(record.SANsJSON) > 0 {
		if err := json.Unmarshal(record.SANsJSON, &entry.SANs); err != nil {
			return entry, damagedRow(err, "names", entry.Serial)
		}
	}
	entry.Name, entry.Groups, entry.Profile, entry.Key = meta.Name, meta.Groups, meta.Profile, meta.Key
	entry.Out, entry.Also = meta.Out, meta.Also
	if entry.Name == "" {
		entry.Name = entry.CommonName
	}
	return entry, nil
}

func damagedRow(err error, what, serial string) error {
	return failure.Wrap(err, failure.Failed, "restore inventory.db from a backup",
		"the %s of serial %s in the inventory are damaged", what, serial)
}

func stateOf(record certdb.CertificateRecord, now time.Time) State {
	switch {
	case record.Status == store.StatusReserved:
		return StateIncomplete
	case record.Status == store.StatusRevoked:
		return StateRevoked
	case now.After(record.Expiry):
		return StateExpired
	}
	return StateValid
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
