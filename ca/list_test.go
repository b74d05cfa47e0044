package ca_test

import (
	"context"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func TestList(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "short", Groups: []string{"dev"}, Validity: "1h"})
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "long", Groups: []string{"dev", "ops"}, Validity: "20d"})
	serial := must(ca.ReadCertificate(filepath.Join(dir, "long.crt"))).SerialNumber.String()
	at := now.Add(2 * time.Hour)
	shown := func(o ca.ListOptions) string {
		o.Dir = dir
		if o.Now.IsZero() {
			o.Now = at
		}
		var lines []string
		for _, e := range list(t, o) {
			lines = append(lines, e.Name+" "+string(e.State))
		}
		return strings.Join(lines, ", ")
	}
	tests := []struct {
		name string
		o    ca.ListOptions
		want string
	}{
		{"all", ca.ListOptions{}, "short expired, long valid, ca valid"},
		{"earlier", ca.ListOptions{Now: now}, "short valid, long valid, ca valid"},
		{"at its end it is still valid", ca.ListOptions{Now: now.Add(time.Hour)}, "short valid, long valid, ca valid"},
		{"group", ca.ListOptions{Group: "ops"}, "long valid"},
		{"name", ca.ListOptions{CommonName: "short"}, "short expired"},
		{"what has ended is due", ca.ListOptions{Expiring: 30 * ca.Day}, "short expired, long valid"},
		{"what has ended long ago is not", ca.ListOptions{Expiring: ca.Day, Now: at.Add(2 * ca.Day)}, ""},
		{"expiring, and in force", ca.ListOptions{Expiring: 30 * ca.Day, State: ca.StateValid}, "long valid"},
		{"expiring soon", ca.ListOptions{Expiring: ca.Day}, "short expired"},
		{"expiring, earlier", ca.ListOptions{Expiring: ca.Day, Now: now}, "short valid"},
		{"expiring, of a group", ca.ListOptions{Expiring: 30 * ca.Day, Group: "ops"}, "long valid"},
	}
	for _, test := range tests {
		if got := shown(test.o); got != test.want {
			t.Errorf("%s: %s; want %s", test.name, got, test.want)
		}
	}
	// What only others write: a revoked row, and a row of cfssl's without metadata.
	change(t, dir, "UPDATE certificates SET status = 'revoked', metadata = NULL, sans = NULL, issued_at = NULL WHERE serial_number = '"+serial+"'")
	if got := shown(ca.ListOptions{}); got != "short expired, long revoked, ca valid" {
		t.Errorf("changed: %s", got)
	}
	if got := shown(ca.ListOptions{Expiring: 30 * ca.Day}); got != "short expired" {
		t.Errorf("revoked and expiring: %s", got)
	}
	for _, damage := range []string{"metadata", "sans"} {
		row := "WHERE serial_number = '" + serial + "'"
		change(t, dir, "UPDATE certificates SET metadata = '{}', sans = '[]' "+row)
		change(t, dir, "UPDATE certificates SET "+damage+" = 'x' "+row)
		_, err := ca.List(context.Background(), ca.ListOptions{Dir: dir, Now: at})
		if err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(failure.HintOf(err), "backup") {
			t.Errorf("damaged %s: %v, hint %q", damage, err, failure.HintOf(err))
		}
	}
}

func TestFormatSerial(t *testing.T) {
	t.Parallel()
	for decimal, want := range map[string]string{"0": "00", "1": "01", "255": "FF", "256": "0100", "-1": "-01"} {
		n, _ := new(big.Int).SetString(decimal, 10)
		if got := ca.FormatSerial(n); got != want {
			t.Errorf("%s: %s, want %s", decimal, got, want)
		}
	}
}
