package csr

import (
	"bytes"
	"testing"
)

// FuzzPending: what is taken for a pending file has all that a run needs.
func FuzzPending(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"pkictl.dev/v1","kind":"PendingUser","server":"https://x","grant":{"name":"jane","seconds":3600,"via":"ca"}}`))
	f.Add([]byte(`{"apiVersion":"pkictl.dev/v1","kind":"PendingUser","grant":{"via":"csr"},"key":"x","request":"y"}`))
	f.Add([]byte(`{"kind":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parsePending(data)
		if err != nil {
			if len(data) > 20 && bytes.Contains([]byte(err.Error()), data) {
				t.Errorf("the error quotes the file: %v", err)
			}
			return
		}
		if p.Kind != pendingKind || (p.Grant.Via == ViaCSR && (p.KeyPEM == "" || p.RequestPEM == "")) {
			t.Errorf("%+v", p.Grant)
		}
	})
}
