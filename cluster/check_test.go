package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

func TestCheckMutations(t *testing.T) {
	t.Parallel()
	for _, test := range mutations {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := spoiled{t, copyOfKubeadms(t)}
			test.spoil(s)
			report := check(t, s.dir)
			checkFindings(t, report, test.want...)
			if notes := found(report, LevelNote); !slices.Equal(notes, append([]string{}, test.notes...)) {
				t.Errorf("notes %q, want %q", notes, test.notes)
			}
			var text strings.Builder
			for _, f := range report.Findings {
				text.WriteString(f.String() + " (CIS " + f.CIS + ") " + f.Hint + "\n")
			}
			for _, says := range test.says {
				if !strings.Contains(text.String(), says) {
					t.Errorf("no word of %q in:\n%s", says, text.String())
				}
			}
			if _, err := report.Metrics(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckOwner(t *testing.T) {
	t.Parallel()
	dir := copyOfKubeadms(t)
	report := check(t, dir, func(o *CheckOptions) { o.Owner = "12345" })
	checkFindings(t, report, "owner") // of the directory: all is of one owner
	if report.Findings[0].CIS != "1.1.19" || !strings.Contains(report.Findings[0].Hint, "chown -R 12345 ") {
		t.Errorf("%+v", report.Findings[0])
	}
	for _, owner := range []string{"nobody-here", "0:nobody-here", ":", "-1"} {
		if _, err := Check(t.Context(), CheckOptions{Dir: dir, Owner: owner, Now: time.Now()}); err == nil {
			t.Errorf("owner %q is taken", owner)
		}
	}
}

func TestCheckPlaces(t *testing.T) {
	t.Parallel()
	dir := copyOfKubeadms(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, "pki"), link); err != nil {
		t.Fatal(err)
	}
	for _, named := range []string{dir, filepath.Join(dir, "pki"), dir + "/pki/", link} {
		checkFindings(t, check(t, named))
	}
	worker := t.TempDir() // has the CA and a kubeconfig alone
	for _, name := range []string{"pki/ca.crt", NameKubelet} {
		s := spoiled{t, worker}
		_ = os.Mkdir(filepath.Join(worker, "pki"), 0o700)
		s.write(name, spoiled{t, dir}.read(name))
	}
	for _, wrong := range []string{worker, t.TempDir(), filepath.Join(dir, "none"), filepath.Join(dir, NameAdmin)} {
		if _, err := Check(t.Context(), CheckOptions{Dir: wrong, Now: time.Now()}); err == nil {
			t.Errorf("%q is taken for a cluster directory", wrong)
		}
	}
}

// Nodes of one control plane share CAs and keys of service accounts.
func TestCheckNodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	settings := Settings{Endpoint: "k8s.example.com", Nodes: []NodeSettings{{"a", "10.0.0.1"}, {"b", "10.0.0.2"}}}
	if _, err := Init(t.Context(), InitOptions{Dir: dir, Settings: settings, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // with settings, and by the files
		report := check(t, dir)
		checkFindings(t, report)
		if len(report.Nodes) != 2 || report.Nodes[1].Node != "b" {
			t.Errorf("%d nodes", len(report.Nodes))
		}
		checkFindings(t, check(t, dir, func(o *CheckOptions) { o.Node = "b" }))
		checkFindings(t, check(t, filepath.Join(dir, "b")))
		if err := os.Rename(filepath.Join(dir, SettingsFile), filepath.Join(dir, "old.yaml")); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	b, other := spoiled{t, filepath.Join(dir, "b")}, spoiled{t, copyOfKubeadms(t)}
	ca := b.read("pki/ca.crt")
	b.write("pki/ca.crt", append(ca, other.read("pki/ca.crt")...))
	checkFindings(t, check(t, dir), "ca shared")
	b.write("pki/ca.crt", ca)
	for _, name := range []string{"pki/sa.key", "pki/sa.pub"} {
		b.write(name, other.read(name))
	}
	checkFindings(t, check(t, dir), "sa shared")
	if _, err := Check(t.Context(), CheckOptions{Dir: dir, Node: "c", Now: time.Now()}); err == nil {
		t.Error("a node that is not there is found")
	}
}

func TestCheckKubeconfigs(t *testing.T) {
	t.Parallel()
	s := spoiled{t, copyOfKubeadms(t)}
	mine := filepath.Join(t.TempDir(), "config")
	testWrite(t, mine, s.read(NameAdmin))
	given := func(o *CheckOptions) { o.Kubeconfigs = []string{mine} }
	checkFindings(t, check(t, s.dir, given))
	config, err := clientcmd.LoadFromFile(mine)
	s.do(err)
	cert, _ := s.otherCA(NameCA)
	config.Clusters["kubernetes"].CertificateAuthorityData = certPEM(cert)
	s.do(clientcmd.WriteToFile(*config, mine))
	checkFindings(t, check(t, s.dir, given), "ca trust")
}
