//go:build unix

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWizardKeepsPassphrasesApart: the passphrase of a CA's key is not taken for
// the password of a file that somebody else gets.
func TestWizardKeepsPassphrasesApart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const answers = `printf '2\n\n\nbob\n-\n\n\nn\n2\n\n\nyes\nq\n' | pkictl wizard --accessible`
	shell(t, dir, "pkictl init-ca; PKICTL_PASSPHRASE='of the CA' PKICTL_EXPORT_PASSPHRASE='of the file' sh -c "+quoted(answers)+
		"; openssl pkcs12 -in pki/bob.p12 -passin 'pass:of the file' -noout")
}

// TestWizardUsesTheContextItIsTold shows a command for the cluster that the wizard
// was started with. The kubeconfig of a user has one context alone, and it is not
// looked into for that of the wizard.
func TestWizardUsesTheContextItIsTold(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	config, err := os.ReadFile(c.admin)
	ok(t, err)
	name := strings.TrimSpace(c.asAdmin("config current-context"))
	// Whoever forgets one of the flags reaches nobody.
	other := strings.Replace(string(config), "current-context: "+name, "current-context: nowhere", 1)
	ok(t, os.WriteFile(filepath.Join(c.dir, "told.conf"), []byte(other), 0o600))
	const answers = `printf '3\n\nwizard-told\n-\n6\n\n\n\n\n\n\nyes\nq\n' | pkictl wizard --accessible --kubeconfig told.conf --context `
	out := shell(t, c.dir, answers+quoted(name))
	if want := "--kubeconfig told.conf --context " + name; !strings.Contains(out, want) || !strings.Contains(out, "Added wizard-told") {
		t.Errorf("%q is missing:\n%s", want, out)
	}
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// TestUserAddLooksAtTheFilesOfTheCA: what a dry run says is what the CA will say of
// key and certificate that are there, and the wizard asks for no passphrase before
// it has shown so.
func TestUserAddLooksAtTheFilesOfTheCA(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	const env = "PKICTL_PASSPHRASE='of the CA' "
	shell(t, c.dir, env+"pkictl init-ca --dir mine --cert "+c.pki+"/ca.crt --key "+c.pki+"/ca.key --encrypt-key; "+env+"pkictl issue --dir mine --cn has-files")
	before := snapshot(t, c.dir)
	const answers = `printf '3\n\n%s\n-\n6\n\n\n2\nmine\n\n\n\nn\nq\n' has-%s | pkictl wizard --accessible --kubeconfig `
	if out := shell(t, c.dir, fmt.Sprintf(answers, "%s", "nothing")+c.admin); !strings.Contains(out, "passphrase: of ") || !strings.Contains(out, "new file mine/has-nothing.key") {
		t.Errorf("the review is\n%s", out)
	}
	if out := shell(t, c.dir, fmt.Sprintf(answers, "%s", "files")+c.admin+" 2>&1"); !strings.Contains(out, `"mine/has-files.crt" exists`) || strings.Contains(out, "Add has-files?") {
		t.Errorf("with files that are there the review is\n%s", out)
	}
	checkUnchanged(t, "reviews", c.dir, before)
	line := env + "pkictl user add has-files --via ca --dir mine --cluster-role view --kubeconfig " + c.admin
	for _, more := range []string{" --dry-run", ""} {
		out := shell(t, c.dir, line+more+" 2>&1 && exit 1; true")
		if !strings.Contains(out, `"mine/has-files.crt" exists`) || !strings.Contains(out, "--force") {
			t.Errorf("%q: it says %s", more, out)
		}
	}
	checkUnchanged(t, "refused", c.dir, before)
	shell(t, c.dir, line+" --force --dry-run")
	checkUnchanged(t, "a dry run", c.dir, before)
}
