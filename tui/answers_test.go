package tui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/csr"
)

// TestCommandsRepeatWhatTheWizardWasTold: without the flags of the wizard a command
// would use another key, leave one unencrypted, or change another cluster.
func TestCommandsRepeatWhatTheWizardWasTold(t *testing.T) {
	t.Parallel()
	w := flowWorld("pki", time.Now, nil)
	w.PassphraseFile, w.Kubeconfig, w.Context = "the file", "a kubeconfig", "a context"
	id := inventoryID{serial: "01"}
	named, viaCA, elsewhere := newFlowUser(w).(*flowUser), newFlowUser(w).(*flowUser), newFlowUser(w).(*flowUser)
	named.where, viaCA.via = flowUserContext+"prod", string(csr.ViaCA)
	elsewhere.where, elsewhere.file = flowUserFile, "another"
	passphrase := "--passphrase-file the file"
	for name, one := range map[string]struct {
		flow flow
		want string // at the end of the command
	}{
		"CA":                  {newFlowCA(w), passphrase},
		"credential":          {newFlowCredential(w), passphrase},
		"cluster PKI":         {newFlowCluster(w), passphrase},
		"renew":               {newFlowRenew(w, id), passphrase},
		"user":                {newFlowUser(w), "--role view --kubeconfig a kubeconfig --context a context"},
		"user, other context": {named, "--role view --kubeconfig a kubeconfig --context prod"},
		"user, other file":    {elsewhere, "--role view --kubeconfig another"},
		"user by the CA":      {viaCA, passphrase + " --kubeconfig a kubeconfig --context a context"},
	} {
		if got := strings.Join(one.flow.command(), " "); !strings.HasSuffix(got, one.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := w.opensslPass(variablePassphrase); got != "file:the file" {
		t.Errorf("openssl is given %q", got)
	}
	w.Environ = []string{variableExportPassword + "=x"}
	if got := w.opensslPass(variableExportPassword); got != "env:"+variableExportPassword {
		t.Errorf("for a PKCS#12 file openssl is given %q", got)
	}
}

// TestFlowClusterAsksForAPassphraseWhenItSigns: a review shows that one is going to
// be asked for, and does not ask.
func TestFlowClusterAsksForAPassphraseWhenItSigns(t *testing.T) {
	t.Parallel()
	for _, isParent := range []bool{true, false} {
		root := t.TempDir()
		f := newFlowClusterIn(root, time.Now)
		f.nodes, f.node, f.address = flowClusterOne, "cp-1", "10.0.0.11"
		o := ca.InitOptions{Dir: f.w.Dir, NewPassphrase: withPassphrase}
		if isParent {
			f.cas = flowClusterParent
		} else { // one of its own CAs is there, and encrypted
			o.Dir, o.CommonName, o.DNS = cluster.PKIDir(f.w.ClusterDir), "kubernetes", []string{"kubernetes"}
		}
		makeCA(t, time.Now(), o)
		if err := f.walk(t); err != nil {
			t.Fatal(err)
		}
		var log jobLog
		r, err := f.review(t.Context(), log.newJob())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(r.rows, func(r row) bool { return r.label == "passphrase" }) || log.asked != nil {
			t.Errorf("asked for %q, and the rows are %q", log.asked, r.rows)
		}
		if _, err := f.run(t.Context(), log.newJob()); err != nil || len(log.asked) != 1 {
			t.Errorf("asked for %q: %v", log.asked, err)
		}
	}
}
