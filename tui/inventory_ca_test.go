package tui

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/kubeconfig"
)

// TestInventoryOfCA compares the table of a real CA, with certificates in all
// states, with what list says.
func TestInventoryOfCA(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "pki")
	begin := inventoryNow.Add(-48 * time.Hour)
	if _, err := ca.Init(ctx, ca.InitOptions{Dir: dir, Now: begin}); err != nil {
		t.Fatal(err)
	}
	issue := func(o ca.IssueOptions) {
		t.Helper()
		o.Dir, o.Now = dir, begin
		if _, err := ca.Issue(ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 60 {
		o := ca.IssueOptions{CommonName: fmt.Sprint("user-", i), Groups: []string{"developers", fmt.Sprint("team-", i%3)}}
		switch i % 6 {
		case 1:
			o.Validity = "24h" // has ended
		case 2:
			o.Validity = "50h"
		case 3:
			o.Profile, o.DNS = ca.ProfileServer, []string{o.CommonName}
		case 4:
			o.Out = filepath.Join(dir, fmt.Sprint("file-", i))
		}
		issue(o)
		if i%6 == 5 {
			o.Force = true // which replaces it
			issue(o)
		}
		if i%6 == 0 {
			if _, err := ca.Revoke(ctx, ca.RevokeOptions{Dir: dir, Name: o.CommonName, Now: begin}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Rename(filepath.Join(dir, "user-5.crt"), filepath.Join(dir, "elsewhere.crt")); err != nil {
		t.Fatal(err)
	}
	want, err := ca.List(ctx, ca.ListOptions{Dir: dir, Now: inventoryNow})
	if err != nil {
		t.Fatal(err)
	}
	s := newInventory(newInventoryWorld(dir))
	runInventory(s, s.Init())
	if s.shown.len() != len(want) {
		t.Fatalf("%d certificates, want %d", s.shown.len(), len(want))
	}
	found := map[ca.State]int{}
	for i, e := range want {
		b, row := s.data.table.row(s.number(i))
		got := fmt.Sprint(string(b.name(row)), b.groups(row), b.profile(row), string(b.appendSerial(nil, row)), time.Unix(row.ends, 0).UTC(), ca.States()[row.state()], b.issuer(row))
		groups := ""
		if len(e.Groups) > 0 {
			groups = e.Groups[0] + ", " + e.Groups[1]
		}
		if wanted := fmt.Sprint(e.CommonName, groups, e.Profile, e.Serial, e.NotAfter, e.State, e.IssuerID); got != wanted {
			t.Errorf("row %d is\n%s, want\n%s", i, got, wanted)
		}
		found[e.State]++
	}
	if len(found) < 4 {
		t.Errorf("only states %v", found)
	}
	for _, typed := range []string{"1h", "3d", "60d", "200d"} {
		within, err := ca.ParseValidity(typed)
		if err != nil {
			t.Fatal(err)
		}
		due, err := ca.List(ctx, ca.ListOptions{Dir: dir, Now: inventoryNow, Expiring: within})
		if err != nil {
			t.Fatal(err)
		}
		runInventory(s, s.filter("expiring:"+typed))
		if s.shown.len() != len(due) {
			t.Errorf("expiring:%s shows %d, list --expiring %d", typed, s.shown.len(), len(due))
		}
	}
	// What another command does is seen when the table comes back.
	runInventory(s, s.filter(""))
	issue(ca.IssueOptions{CommonName: "new"})
	_, cmd := s.Update(resumedMsg{})
	runInventory(s, cmd)
	if s.shown.len() != len(want)+1 {
		t.Errorf("%d certificates after another was issued, want %d", s.shown.len(), len(want)+1)
	}
	if _, cmd = s.Update(resumedMsg{}); runInventory(s, cmd) != nil || s.next != nil {
		t.Error("read again though nothing has changed")
	}
}

// TestInventoryDetails: enter shows what is known of the certificate under the
// cursor, its kubeconfig and what it has replaced.
func TestInventoryDetails(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "pki")
	if _, err := ca.Init(ctx, ca.InitOptions{Dir: dir, Now: inventoryNow}); err != nil {
		t.Fatal(err)
	}
	o := ca.IssueOptions{Dir: dir, CommonName: "jane", Groups: []string{"developers", "oncall"}, Now: inventoryNow, Force: true}
	entry := kubeconfig.Entry{Server: "https://10.0.0.10:6443", Cluster: "kubernetes", User: "jane"}
	conf := filepath.Join(dir, "jane.conf")
	if err := entry.IssueTo(conf, &o); err != nil {
		t.Fatal(err)
	}
	first, err := ca.Issue(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	o.Now = o.Now.Add(time.Second)
	second, err := ca.Issue(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	s := newInventory(newInventoryWorld(dir))
	runInventory(s, s.Init())
	pressInventory(s, "/")
	typeInventory(s, "serial:"+ca.FormatSerial(second.Certificate.SerialNumber))
	pressInventory(s, "enter")
	pushed, ok := pressInventory(s, "enter").(pushMsg)
	if !ok {
		t.Fatal("enter opens nothing")
	}
	d := pushed.screen
	checkFits(t, d)
	_, _ = d.Update(d.Init()())
	checkFits(t, d)
	view := ansi.Strip(d.View(200, 76))
	for _, part := range []string{
		"valid", "developers, oncall", "digital signature", "client auth", ca.FormatSerial(second.Certificate.SerialNumber),
		"2026-09-29", filepath.Join(dir, "jane.crt"), conf, "issued before", ca.FormatSerial(first.Certificate.SerialNumber), "replaced, ends",
		"An API server reads no revocation list", "delete the RoleBindings",
	} {
		if !strings.Contains(view, part) {
			t.Errorf("no %q in\n%s", part, view)
		}
	}
	top := d.View(80, 12)
	_, _ = d.Update(inventoryKey("pgdown"))
	if below := d.View(80, 12); below == top || !strings.Contains(ansi.Strip(below), "up and down show the others") {
		t.Errorf("pgdown shows\n%s", ansi.Strip(below))
	}
	unknown := newInventoryDetails(newInventoryWorld(dir), inventoryID{serial: "0A"})
	_, _ = unknown.Update(unknown.Init()())
	if view := ansi.Strip(unknown.View(80, 20)); !strings.Contains(view, "see what there is") {
		t.Errorf("an unknown one:\n%s", view)
	}
}
