package ca_test

import (
	"context"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/cfssl/certdb"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// holdingOf opens the CA in a directory and finds a certificate of it.
func holdingOf(t *testing.T, dir, name string) (*ca.CA, *ca.Holding) {
	t.Helper()
	authority := must(ca.Open(dir))
	must(0, authority.LoadKey(nil))
	return authority, must(authority.HoldingNamed(context.Background(), name, now))
}

// TestRenewRevokedMeanwhile revokes a certificate while renew waits for the lock.
func TestRenewRevokedMeanwhile(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	issued := issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane"})
	authority, h := holdingOf(t, dir, "jane")
	held := must(store.Lock(context.Background(), dir, nil))
	var before map[string]string
	revoke := func() {
		inv := must(held.Inventory())
		must(0, inv.Revoke(issued.Certificate.SerialNumber.String(), hex.EncodeToString(issued.Certificate.AuthorityKeyId), 1, now))
		must(0, inv.Close())
		before = tree(t, dir)
		held.Unlock()
	}
	_, err := authority.Renew(context.Background(), h, ca.RenewOptions{Dir: dir, Now: now, Waiting: revoke})
	if err == nil || !strings.Contains(err.Error(), `of "jane" with serial `+ca.FormatSerial(issued.Certificate.SerialNumber)+" is revoked") || failure.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if after := tree(t, dir); after[issued.CertPath] != before[issued.CertPath] || after[issued.KeyPath] != before[issued.KeyPath] || before == nil {
		t.Error("the files have changed")
	}
	if rows := list(t, ca.ListOptions{Dir: dir, CommonName: "jane"}); len(rows) != 1 || rows[0].State != ca.StateRevoked {
		t.Errorf("%+v", rows)
	}
}

// TestHoldingsWithin: of certificates that end later not even the rows are read:
// these could not be. What has ended is due however long ago that was.
func TestHoldingsWithin(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pki")
	must(ca.Init(context.Background(), ca.InitOptions{Dir: dir, Now: now.Add(-3 * time.Hour)}))
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "soon", Validity: "1h"})
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "ended", Validity: "1h", Now: now.Add(-90 * time.Minute)})
	held := must(store.Lock(context.Background(), dir, nil))
	inv := must(held.Inventory())
	for serial, ends := range map[string]time.Duration{"1": 3 * time.Hour, "2": 90 * ca.Day} {
		expiry := now.Add(ends)
		must(inv.Import([]certdb.CertificateRecord{{
			Serial: serial, AKI: "00", Expiry: expiry, IssuedAt: &expiry, NotBefore: &expiry, Status: store.StatusGood, PEM: "noise", MetadataJSON: []byte("{}"), SANsJSON: []byte("[]"),
		}}))
	}
	must(0, inv.Close())
	held.Unlock()
	authority := must(ca.Open(dir))
	due, missing, err := authority.Holdings(context.Background(), 2*time.Hour, now)
	if err != nil || len(due) != 2 || due[0].Name != "ended" || due[1].Name != "soon" || len(missing) != 0 {
		t.Errorf("%+v, %+v, %v", due, missing, err)
	}
	due, _, err = authority.Holdings(context.Background(), time.Minute, now)
	if err != nil || len(due) != 1 || due[0].Name != "ended" {
		t.Errorf("%+v, %v", due, err)
	}
	if _, _, err := authority.Holdings(context.Background(), 4*time.Hour, now); err == nil {
		t.Error("the rows can be read, so that this test tells nothing")
	}
}
