package ca

import (
	"context"
	"math/big"
	"slices"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// LookOptions name one certificate of the inventory.
type LookOptions struct {
	Dir      string
	Serial   string // as Entry has it
	IssuerID string // as Entry has it; empty: the only one with that serial
	Now      time.Time
}

// Detail is all that is known of one certificate of the inventory.
type Detail struct {
	Revocation                  // it, its files, and who takes no notice of its revocation
	Info       *CertificateInfo // nil of one that was never written
	Holders    []string         // of the other files that were written with it, those that still hold it
	Relatives  []Entry          // other certificates for the same files, the last to be issued first
}

// Look returns all that is known of one certificate of the inventory.
func Look(ctx context.Context, o LookOptions) (*Detail, error) {
	entries, err := listSerial(ctx, o)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return o.IssuerID != "" && e.IssuerID != o.IssuerID })
	switch {
	case len(entries) == 0:
		return nil, failure.New(failure.Failed, "see what there is with: pkictl list", "the inventory of %q has no certificate with serial %s", o.Dir, o.Serial)
	case len(entries) > 1:
		return nil, failure.New(failure.Failed, "say which with its issuer", "CAs of %d key identifiers have issued serial %s", len(entries), o.Serial)
	}
	d := &Detail{Revocation: *newRevocation(entries[0])}
	if cert := d.Certificate; cert != nil {
		item, err := DescribeCertificate(cert)
		if err != nil {
			return nil, err
		}
		d.Info = item.Certificate
		for _, path := range d.Also {
			if embeds(path, cert) {
				d.Holders = append(d.Holders, path)
			}
		}
	}
	d.Relatives, err = relatives(ctx, d.Entry, o)
	return d, err
}

func listSerial(ctx context.Context, o LookOptions) ([]Entry, error) {
	serial, isSerial := new(big.Int).SetString(o.Serial, 16)
	if !isSerial {
		return nil, nil
	}
	return List(ctx, ListOptions{Dir: o.Dir, Serial: serial, Now: o.Now, WithPEM: true})
}

// relatives returns the other certificates that were issued for the same files.
func relatives(ctx context.Context, e Entry, o LookOptions) ([]Entry, error) {
	if e.Out == "" {
		return nil, nil
	}
	named, err := List(ctx, ListOptions{Dir: o.Dir, Name: e.Name, Now: o.Now})
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(named, func(other Entry) bool {
		return other.Out != e.Out || (other.serial == e.serial && other.aki == e.aki)
	})
	slices.SortStableFunc(others, func(x, y Entry) int { return y.IssuedAt.Compare(x.IssuedAt) })
	return others, nil
}
