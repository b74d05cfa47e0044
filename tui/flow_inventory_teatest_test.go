package tui

import (
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// TestInventoryFlows exports, renews and revokes a certificate, each from its
// questions to its result, and looks at what was made.
func TestInventoryFlows(t *testing.T) {
	t.Parallel()
	pki := filepath.Join(inventoryPKI(t, ca.InitOptions{}), "pki")
	jane := filepath.Join(pki, "jane.crt")
	before := inventoryCertificate(t, jane)
	for _, test := range []struct {
		flow         func(*world) flow
		asked, shown string
	}{
		{func(w *world) flow {
			f := newFlowExport(w, idOf(t, jane))
			f.form = string(ca.ExportPEM)
			return f
		}, "Export it?", "Exported"},
		{func(w *world) flow { return newFlowRenew(w, idOf(t, jane)) }, "Renew it?", "Renewed"},
		{func(w *world) flow { return newFlowRevoke(w, idOf(t, jane)) }, "Revoke it?", "Revoked"},
	} {
		p := runFlow(t, flowWorld(pki, time.Now, nil), test.flow(flowWorld(pki, time.Now, nil)))
		for p.shows("esc "); !strings.Contains(p.frames.shown(), "enter review"); {
			p.press("enter")
		}
		p.press("enter")
		p.shows(test.asked)
		p.press("y")
		p.shows(test.shown)
		p.quit()
	}
	after := inventoryCertificate(t, jane)
	if after.Equal(before) || after.Subject.String() != before.Subject.String() {
		t.Errorf("%s was renewed to %s", before.Subject, after.Subject)
	}
	entries, err := ca.List(t.Context(), ca.ListOptions{Dir: pki, Now: time.Now(), State: ca.StateRevoked})
	if err != nil || len(entries) == 0 {
		t.Errorf("revoked: %v, %v", entries, err)
	}
}

func inventoryCertificate(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	cert, err := ca.ReadCertificate(path)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
