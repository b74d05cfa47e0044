package ca_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

func TestOverview(t *testing.T) {
	t.Parallel()
	overview := func(dir string) *ca.Overview {
		t.Helper()
		o, err := ca.NewOverview(context.Background(), dir, 30*ca.Day, now.Add(2*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := overview(t.TempDir()); o != nil {
		t.Errorf("of nothing: %+v", o)
	}
	dir := newCA(t, ca.ECDSAP256)
	if o := overview(dir); o.Certificates != 0 || o.Next != nil || o.Protection() != "key not encrypted" || o.CA.Certificate == nil {
		t.Errorf("of a CA alone: %+v", o)
	}
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "short", Validity: "1h"})
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "soon", Validity: "20d"})
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "long", Validity: "90d"})
	o := overview(dir)
	if o.Certificates != 3 || o.Valid != 2 || o.Expiring != 1 || o.Expired != 1 || o.Next == nil || o.Next.Name != "soon" {
		t.Errorf("%+v, next %+v", o, o.Next)
	}
	if err := os.Remove(ca.KeyPath(dir)); err != nil {
		t.Fatal(err)
	}
	if o := overview(dir); o.Protection() != "key not here" {
		t.Errorf("without its key: %s", o.Protection())
	}
	if err := os.WriteFile(ca.KeyPath(dir), []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if o := overview(dir); o.Protection() != "key cannot be read" {
		t.Errorf("with a damaged key: %s", o.Protection())
	}
	if err := os.WriteFile(ca.CertPath(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if o, err := ca.NewOverview(context.Background(), dir, ca.Day, now); err == nil {
		t.Errorf("with a damaged certificate: %+v", o)
	}
}
