package ca_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func revoke(dir, name, reason string) (*ca.Revocation, error) {
	return ca.Revoke(context.Background(), ca.RevokeOptions{Dir: dir, Name: name, Reason: reason, Now: now})
}

func TestRevokeConfirm(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	issued := issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane", Groups: []string{"dev"}})
	no := errors.New("no")
	var shown ca.Revocation
	o := ca.RevokeOptions{Dir: dir, Name: "jane", Reason: "key-compromise", Now: now, Confirm: func(r ca.Revocation) error {
		shown = r
		// Nobody waits for a person: others may use the directory meanwhile.
		issue(t, ca.IssueOptions{Dir: dir, CommonName: "meanwhile", Out: filepath.Join(dir, "meanwhile"), Force: true})
		return no
	}}
	if _, err := ca.Revoke(context.Background(), o); !errors.Is(err, no) {
		t.Errorf("the answer was no: %v", err)
	}
	if !shown.Certificate.Equal(issued.Certificate) || shown.Reason != "keyCompromise" || shown.State != ca.StateValid || shown.RevokedAt != nil ||
		!slices.Equal(shown.Files, []string{issued.CertPath, issued.KeyPath}) {
		t.Errorf("shown was %+v", shown)
	}
	if got := list(t, ca.ListOptions{Dir: dir, CommonName: "jane"}); got[0].State != ca.StateValid {
		t.Errorf("it is %s", got[0].State)
	}
	// Another has revoked it before the answer came.
	o.Confirm = func(ca.Revocation) error {
		_, err := revoke(dir, "jane", "superseded")
		return err
	}
	if _, err := ca.Revoke(context.Background(), o); err == nil || !strings.Contains(err.Error(), "revoked already") {
		t.Errorf("revoked meanwhile: %v", err)
	}
	if got := list(t, ca.ListOptions{Dir: dir, CommonName: "jane"}); got[0].Reason != "superseded" || !got[0].RevokedAt.Equal(now) {
		t.Errorf("%+v", got[0])
	}
}

// TestRevokeOneSerialTwice: two generations of a CA may give one serial.
func TestRevokeOneSerialTwice(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	issued := issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane"})
	serial := ca.FormatSerial(issued.Certificate.SerialNumber)
	change(t, dir, `INSERT INTO certificates SELECT serial_number, '00ff', ca_label, status, reason, expiry, revoked_at, pem, issued_at,
		not_before, metadata, sans, common_name FROM certificates WHERE common_name = 'jane'`)
	_, err := revoke(dir, serial, "")
	if err == nil || !strings.Contains(err.Error(), "names 2 certificates") || !strings.Contains(failure.HintOf(err), "--aki ") {
		t.Fatalf("%v, hint %q", err, failure.HintOf(err))
	}
	r, err := ca.Revoke(context.Background(), ca.RevokeOptions{Dir: dir, Name: serial, AKI: "00:FF", Now: now})
	if err != nil || r.IssuerID != "00:FF" || !strings.Contains(strings.Join(r.Advice, " "), "whose revocation list it will not be on") {
		t.Errorf("%+v, %v", r, err)
	}
	states := map[string]ca.State{}
	for _, entry := range list(t, ca.ListOptions{Dir: dir, CommonName: "jane"}) {
		states[entry.IssuerID] = entry.State
	}
	if len(states) != 2 || states["00:FF"] != ca.StateRevoked {
		t.Errorf("%v", states)
	}
	// Now the one in force is meant.
	if r, err := revoke(dir, serial, ""); err != nil || r.Already || r.IssuerID == "00:FF" {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = ca.Revoke(context.Background(), ca.RevokeOptions{Dir: dir, Name: serial, AKI: "EE", Now: now})
	if err == nil || !strings.Contains(err.Error(), "with that issuer") {
		t.Errorf("unknown issuer: %v", err)
	}
}

func TestRevokeStates(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "ended", Validity: "1s", Now: now.Add(-time.Minute)})
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "killed"})
	change(t, dir, "UPDATE certificates SET status = 'reserved', pem = '', expiry = issued_at WHERE common_name = 'killed'")
	// cfssl's rows have neither metadata nor names.
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "cfssl", Out: filepath.Join(dir, "c")})
	change(t, dir, "UPDATE certificates SET metadata = NULL, sans = NULL, issued_at = NULL, not_before = NULL WHERE common_name = 'cfssl'")

	if _, err := revoke(dir, "ended", ""); err == nil || !strings.Contains(err.Error(), "ended on") {
		t.Errorf("ended: %v", err)
	}
	r, err := revoke(dir, "killed", "")
	if err != nil || r.Certificate != nil || !strings.Contains(r.Advice[0], "No certificate with this serial was handed out") {
		t.Errorf("killed: %+v, %v", r, err)
	}
	if r, err := revoke(dir, "cfssl", "ceSSationofoperation"); err != nil || r.Reason != "cessationOfOperation" || r.Subject != "CN=cfssl" {
		t.Errorf("cfssl: %+v, %v", r, err)
	}
	for name, want := range map[string]ca.State{"ended": ca.StateExpired, "killed": ca.StateRevoked, "cfssl": ca.StateRevoked} {
		if got := list(t, ca.ListOptions{Dir: dir, CommonName: name}); got[0].State != want {
			t.Errorf("%s is %s", name, got[0].State)
		}
	}
	for _, name := range []string{"killed", "cfssl"} { // nothing openssl could do, or has to do
		_, err := ca.ExplainRevoke(context.Background(), ca.RevokeOptions{Dir: dir, Name: name, Now: now, Reason: map[string]string{"cfssl": "cessationOfOperation"}[name]})
		if (name == "killed") != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
