package tui

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// TestInventoryPlain answers prompts about a real CA: find, sort, look, revoke.
func TestInventoryPlain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(inventoryPKI(t, ca.InitOptions{}), "pki")
	for i := range 25 {
		o := ca.IssueOptions{Dir: dir, CommonName: "user-" + string(rune('a'+i)), Now: anHourAgo()}
		if _, err := ca.Issue(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	talk := func(answers ...string) string {
		var out strings.Builder
		in := strings.NewReader(strings.Join(answers, "\n") + "\n")
		if err := inventoryPlain(t.Context(), flowWorld(dir, time.Now, nil), in, &out); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		return out.String()
	}
	said := talk("", "", "s name", "S", "s nothing", "/state:replaced", "1", "", "/", "/expiring:x", "99", "q")
	for _, part := range []string{
		"1 to 20 of 29 certificates\n", "21 to 29 of 29 certificates\n", "That is the end of the list.",
		"1. KUBERNETES-CA (ca), ca, valid, ends in ", "1. web.example.com (web), server, valid, ends in 29d\n2. user-y",
		`There is no column "nothing"`, "1 to 1 of 1 that match, of 29 certificates\n1. jane, groups developers, client, replaced, ends in 89d\n",
		"state: replaced: there is another certificate in its files", "issued later: serial ", "error: expiring:", "There is no certificate 99",
	} {
		if !strings.Contains(said, part) {
			t.Errorf("no %q in\n%s", part, said)
		}
	}
	if strings.Contains(said, "\x1b") {
		t.Error("it says escape sequences")
	}
	said = talk("/name:user-c", "1", "v", "5", "y", "/state:revoked", "q")
	for _, part := range []string{"An API server reads no revocation list", "The command: pkictl revoke 0x", "--reason superseded --yes", "Revoked user-c", "1. user-c, client, revoked"} {
		if !strings.Contains(said, part) {
			t.Errorf("no %q in\n%s", part, said)
		}
	}
	var out strings.Builder
	if err := inventoryPlain(t.Context(), flowWorld(dir, time.Now, nil), strings.NewReader("1\nv\n"), &out); err == nil {
		t.Errorf("the end of input is an answer:\n%s", out.String())
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := inventoryPlain(ended, flowWorld(dir, time.Now, nil), strings.NewReader("\n"), &out); err == nil {
		t.Error("it goes on after ctx")
	}
}
