package modprobe

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// showConfig asks modprobe for the lines that it has understood.
func showConfig(t *testing.T, files []File) (blacklist, install []string) {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/modprobe")
	if err != nil {
		t.Fatalf("%v; on Debian: apt-get install kmod", err)
	}
	dir := t.TempDir()
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(dir, file.Name), file.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(program, "--showconfig", "-C", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(out), "\n") {
		if line == "# End of configuration files. Dumping indexes now:" {
			break
		}
		if module, ok := strings.CutPrefix(line, "blacklist "); ok {
			blacklist = append(blacklist, module)
		}
		if command, ok := strings.CutPrefix(line, "install "); ok {
			install = append(install, command)
		}
	}
	return blacklist, install
}

func compare(t *testing.T, files ...File) {
	t.Helper()
	c := Read(files...)
	blacklist, install := showConfig(t, files)
	var ours []string
	for _, command := range c.install {
		ours = append(ours, command.module+" "+command.text)
	}
	if !slices.Equal(sorted(c.blacklist), sorted(blacklist)) {
		t.Errorf("%q\nblacklist %q, kmod's %q", files, c.blacklist, blacklist)
	}
	if !slices.Equal(ours, install) {
		t.Errorf("%q\ninstall %q, kmod's %q", files, ours, install)
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

func TestAgainstModprobe(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "# nothing\n", "blacklist sctp\n", "blacklist sctp", "  blacklist\tsctp  \n", "blacklist sctp # why\n", "#blacklist sctp\n", " # blacklist sctp\n", "blacklist\n", "blacklist nf-nat-x\n", "Blacklist sctp\n", "blacklist sctp dccp\n",
		"install sctp /bin/false\n", "install sctp\n", "install  sctp\t/bin/false  # why\n", "install sctp /bin/sh -c 'exit 1'\n", "install nf-nat /bin/true\n", "install sc[a-t]p /bin/true\n", "install install /bin/true\n", "install sctp \n",
		"blacklist \\\nsctp\n", "install sctp \\\n  /bin/false\n", "black\\\nlist sctp\n", "# a \\\nblacklist sctp\n", "alias a b\noptions a b=c\nremove a b\nsoftdep a pre: b\n", "blacklist=sctp\n", "blacklist sctp\nblacklist sctp\n", "blacklist \"sctp\"\n", "\n\n\tblacklist a\n\nblacklist b\n", "blacklist sctp\r\n",
	} {
		compare(t, File{"a.conf", []byte(text)})
	}
	compare(t, File{"b.conf", []byte("install a /bin/true\n")}, File{"a.conf", []byte("install a /bin/false\n")}, File{"c.txt", []byte("blacklist b\n")})
}

func TestGenerated(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(27, 3))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	for range 100 {
		var b strings.Builder
		for range random.IntN(8) {
			b.WriteString(pick("", " ", "\t", "#", "\\\n") + pick("blacklist", "install", "install", "alias", "options", "black") + pick(" ", "\t", " \\\n", "") + pick("sctp", "nf-nat", "x_[a-b]-c", "") + pick("", " ", " /bin/false", "  /bin/true x ", " # y") + pick("\n", "\n", "\\\n", "\n\n"))
		}
		compare(t, File{"a.conf", []byte(b.String())})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	c := Read(File{"b.conf", []byte("install sctp /bin/true\nblacklist nf-nat\nnonsense\n")}, File{"a.conf", []byte("install s*p /bin/false\n")})
	if text, ok := c.Install("sctp"); text != "/bin/false" || !ok {
		t.Error(text)
	}
	if _, ok := c.Install("dccp"); ok || !c.Blacklisted("nf_nat") || c.Blacklisted("sctp") || len(c.Ignored) != 1 || len(c.Blacklist()) != 1 {
		t.Errorf("%+v", c)
	}
}

// TestFirstInstall: modprobe runs the first command. (It knows patterns for modules
// alone that the kernel of the machine has.)
func TestFirstInstall(t *testing.T) {
	t.Parallel()
	for _, files := range [][]File{
		{{"a.conf", []byte("install sctp /bin/echo a\ninstall sctp /bin/echo b\n")}},
		{{"a.conf", []byte("install other /bin/echo a\ninstall sctp /bin/echo b\ninstall other /bin/echo c\n")}},
		{{"b.conf", []byte("install sctp /bin/echo b\n")}, {"a.conf", []byte("install sctp /bin/echo a\n")}},
	} {
		dir := t.TempDir()
		for _, file := range files {
			if err := os.WriteFile(filepath.Join(dir, file.Name), file.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Command("/usr/sbin/modprobe", "-C", dir, "-n", "-v", "sctp").CombinedOutput()
		if err != nil {
			t.Fatalf("%v %s", err, out)
		}
		if want, _ := Read(files...).Install("sctp"); !strings.HasPrefix(string(out), "install "+want) {
			t.Errorf("modprobe runs %s, not %s", out, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("blacklist a-b\ninstall x[a-b] /bin/false \\\n c\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := Read(File{"a.conf", []byte(text)})
		c.Blacklisted("sctp")
		if text, ok := c.Install("sctp"); ok && text == "" {
			t.Errorf("%q", text)
		}
	})
}
