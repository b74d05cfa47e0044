//go:build unix

package main_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// TestWizardUser gives a person access to a real cluster in the wizard, keys typed
// as by a person. What comes of it is what the command gives that it shows.
func TestWizardUser(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace wizard-user")
	m := startTmux(t, 160, 40, "KUBECONFIG="+c.admin)
	m.wizard()
	m.waitFor("pkictl › Home")
	m.text("user for a cluster")
	m.keys("Enter")
	m.waitFor("Which cluster", "(current)")
	m.keys("Enter")
	m.waitFor("step 2 of 5")
	m.text("wizard uma") // refused while it is typed
	m.waitFor("has white space in its name")
	m.keys("C-u")
	m.text("wizard-uma")
	m.keys("Enter")
	m.text("wizard-devs, oncall")
	m.keys("Enter")
	m.waitFor("step 3 of 5", "--group oncall")
	m.keys("Down", "Enter")
	m.waitFor("--role edit")
	m.keys("C-u")
	m.text("wizard-u") // the cluster has such a namespace: it is offered
	m.waitForOffer("wizard-user")
	m.keys("Right", "Enter")
	m.waitFor("step 4 of 5", "--namespace wizard-user")
	m.keys("Up", "Enter") // for 8 hours
	m.waitFor("--for 8h")
	m.keys("Escape") // nothing that was typed is lost
	m.waitFor("step 3 of 5", "read and write", "wizard-user")
	m.keys("PageDown", "Enter")
	m.waitFor("step 4 of 5")
	m.keys("Tab", "Tab", "Enter")
	m.waitFor("step 5 of 5")
	m.keys("Enter", "Enter")
	screen := m.waitFor("Add wizard-uma?", "cluster role edit in namespace wizard-user", "new      0600 wizard-uma.conf", "create RoleBinding pkictl:wizard-uma:edit")
	if left, err := os.ReadDir(m.dir); err != nil || len(left) > 0 {
		t.Errorf("before the answer there is %v %v", left, err)
	}
	m.keys("y")
	m.waitFor("Added wizard-uma", "read and write pods", "$ kubectl --kubeconfig wizard-uma.conf get pods")
	m.keys("C-c")
	m.waitFor("ended: 0")
	m.checkUsable()

	byWizard := c.addedThing(filepath.Join(m.dir, "wizard-uma.conf"), "wizard-uma")
	shown := regexp.MustCompile(`\$ pkictl (user add wizard-uma .*?) *\n`).FindStringSubmatch(screen)
	if shown == nil {
		t.Fatalf("no command in\n%s", screen)
	}
	cmd := program(c.dir, strings.Fields(strings.ReplaceAll(shown[1], "wizard-uma", "wizard-ugo"))...)
	cmd.Env = append(cmd.Env, "KUBECONFIG="+c.admin)
	if got := runProgram(t, cmd); got.code != 0 {
		t.Fatalf("%q: %+v", shown[1], got)
	}
	byCommand := c.addedThing(filepath.Join(c.dir, "wizard-ugo.conf"), "wizard-ugo")
	if byCommand = strings.ReplaceAll(byCommand, "wizard-ugo", "wizard-uma"); byWizard != byCommand {
		t.Errorf("by the wizard:\n%s\nby the command %s:\n%s", byWizard, shown[1], byCommand)
	}
	c.checkAdded("the command", "wizard-ugo", "wizard-user", true)
}

// waitForOffer waits until a word is offered, whose end stands a cell behind the
// cursor.
func (m *tmux) waitForOffer(word string) {
	m.t.Helper()
	screen := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if screen = m.screen(); strings.Contains(strings.ReplaceAll(screen, " ", ""), word) {
			return
		}
	}
	m.t.Fatalf("%s is not offered:\n%s", word, screen)
}

// addedThing describes what a user got: as kubectl finds it with the kubeconfig,
// the certificate, and the binding.
func (c realCluster) addedThing(config, name string) string {
	c.t.Helper()
	info, err := os.Stat(config)
	if err != nil {
		c.t.Fatal(err)
	}
	whoami := c.as(config, "auth whoami -o jsonpath={.status.userInfo.username}{.status.userInfo.groups}")
	c.as(config, "create configmap "+name) // edit may do that in the namespace of the context
	if _, _, err := c.try(c.kubectl, "--kubeconfig", config, "get", "pods", "-n", "default"); err == nil {
		c.t.Errorf("%s may read pods in another namespace", name)
	}
	var binding struct {
		Metadata struct{ Labels map[string]string }
		RoleRef  any
		Subjects any
	}
	if err := json.Unmarshal([]byte(c.asAdmin("get rolebinding pkictl:"+name+":edit -n wizard-user -o json")), &binding); err != nil {
		c.t.Fatal(err)
	}
	written, err := clientcmd.LoadFromFile(config)
	if err != nil {
		c.t.Fatal(err)
	}
	context := written.Contexts[written.CurrentContext]
	block, _ := pem.Decode(written.AuthInfos[context.AuthInfo].ClientCertificateData)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		c.t.Fatal(err)
	}
	return fmt.Sprintf("%v %s\n%+v\n%s %s %+v\n%s %s %v %v %T", info.Mode(), whoami, binding, written.CurrentContext, context.Namespace, context.Cluster,
		cert.Subject, cert.NotAfter.Sub(cert.NotBefore), cert.KeyUsage, cert.ExtKeyUsage, cert.PublicKey)
}
