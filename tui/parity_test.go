package tui

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/pkictl/pkictl/ca"
)

// What holds the wizard against the command line: the same answers, the same
// files, certificates and words.

// builtPkictl is the program, which is built once for all tests.
var builtPkictl = struct {
	sync.Once
	dir, path string
	err       error
}{}

func TestMain(m *testing.M) {
	code := m.Run()
	if builtPkictl.dir != "" {
		_ = os.RemoveAll(builtPkictl.dir)
	}
	os.Exit(code)
}

// pkictlBinary returns the path of the program, built from this tree.
func pkictlBinary(t *testing.T) string {
	t.Helper()
	b := &builtPkictl
	b.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "pkictl-tui"); b.err != nil {
			return
		}
		b.path = filepath.Join(b.dir, "pkictl")
		// As make build does: what that has compiled is not compiled again.
		build := exec.Command("go", "build", "-trimpath", "-o", b.path, "../cmd/pkictl")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

// cliResult is what a run of the program printed, and its exit code.
type cliResult struct {
	stdout, stderr string
	code           int
}

// warnings are those on standard error, and what a result says in lines with a
// star.
func (r cliResult) warnings() []string {
	var found []string
	for line := range strings.Lines(r.stdout) {
		if text, is := strings.CutPrefix(strings.TrimRight(line, "\n"), "  * "); is {
			found = append(found, text)
		}
	}
	for line := range strings.Lines(r.stderr) {
		if text, is := strings.CutPrefix(strings.TrimRight(line, "\n"), "warning: "); is {
			found = append(found, text)
		}
	}
	return found
}

// rows are the lines of a result below its first, the label apart.
func (r cliResult) rows() []row {
	var found []row
	for line := range strings.Lines(r.stdout) {
		line = strings.TrimRight(line, "\n")
		if !strings.HasPrefix(line, "  ") {
			continue
		}
		label, value, is := strings.Cut(strings.TrimPrefix(line, "  "), "  ")
		if is {
			found = append(found, row{label, strings.TrimSpace(value)})
		}
	}
	return found
}

// runCLI runs the program in a directory, with the variables of the environment
// that stand before the arguments, as NAME=VALUE, and none of the tests' own.
func runCLI(t *testing.T, dir string, args ...string) cliResult {
	t.Helper()
	env := []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}
	for len(args) > 0 && strings.Contains(args[0], "=") {
		env, args = append(env, args[0]), args[1:]
	}
	cmd := exec.CommandContext(t.Context(), pkictlBinary(t), args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cliResult{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// compareTrees fails where what two directories hold differs in more than
// serial numbers, keys and what follows from them: names, modes, certificates
// field by field, kubeconfigs, Secrets, PKCS#12 files with the password
// testPassword, and the rows of inventories.
func compareTrees(t *testing.T, a, b string) {
	t.Helper()
	inA, inB := describeTree(t, a), describeTree(t, b)
	for path, is := range inA {
		switch other, there := inB[path]; {
		case !there:
			t.Errorf("%s is in %s alone", path, a)
		case is != other:
			t.Errorf("%s differs:\n%s\nand\n%s", path, is, other)
		}
	}
	for path := range inB {
		if _, there := inA[path]; !there {
			t.Errorf("%s is in %s alone", path, b)
		}
	}
	if len(inA) == 0 {
		t.Errorf("there is nothing in %s", a)
	}
}

const testPassword = "three-words-or-more"

func describeTree(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		found[name] = info.Mode().String()
		if info.Mode().IsRegular() {
			found[name] += "\n" + strings.ReplaceAll(describeFile(t, path), root, "ROOT")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func describeFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch name := filepath.Base(path); {
	case name == "inventory.db":
		return describeInventory(t, filepath.Dir(path))
	case strings.HasPrefix(name, "inventory.db-"), strings.Contains(path, "/."): // locks, and what commits leave to themselves
		return ""
	case filepath.Base(filepath.Dir(path)) == ".staging": // what the last change was, by its serials
		return ""
	case strings.HasSuffix(name, ".p12"):
		return describePKCS12(t, data)
	case bytes.HasPrefix(data, []byte("apiVersion:")):
		return describeYAML(t, data)
	}
	return describeText(t, string(data))
}

func describeInventory(t *testing.T, dir string) string {
	t.Helper()
	entries, err := ca.List(t.Context(), ca.ListOptions{Dir: dir, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range entries {
		e.Serial, e.IssuerID = "", ""
		lines = append(lines, fmt.Sprintf("%s|%s|%q|%s|%s|%v|%v|%v|%v|%v|%v|%s|%s|%v|%v", e.Name, e.CommonName, e.Groups, e.Profile, e.Key, e.SANs,
			e.NotBefore, e.NotAfter, e.IssuedAt, e.State, e.RevokedAt, e.Reason, e.Out, e.Also, e.Credential))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func describePKCS12(t *testing.T, data []byte) string {
	t.Helper()
	key, cert, chain, err := pkcs12.DecodeChain(data, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%T\n%s", key, describeCertificate(cert))
	for _, each := range chain {
		text += "\n" + describeCertificate(each)
	}
	return text
}

// describeYAML describes a kubeconfig or a Secret: what is encoded in it, too.
func describeYAML(t *testing.T, data []byte) string {
	t.Helper()
	var value any
	if err := yaml.UnmarshalStrict(data, &value); err != nil {
		t.Fatal(err)
	}
	out, err := yaml.Marshal(describeValue(t, value))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func describeValue(t *testing.T, value any) any {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		for key, each := range value {
			value[key] = describeValue(t, each)
			if key == "pkictl.dev/serial" {
				value[key] = "a serial"
			}
		}
	case []any:
		for i := range value {
			value[i] = describeValue(t, value[i])
		}
	case string:
		if decoded, err := base64.StdEncoding.DecodeString(value); err == nil && bytes.HasPrefix(decoded, []byte("-----BEGIN")) {
			return describeText(t, string(decoded))
		} else if err == nil && bytes.HasPrefix(decoded, []byte("apiVersion:")) {
			return describeYAML(t, decoded)
		}
	}
	return value
}

// describeText describes the PEM in a text, and leaves the rest as it is.
func describeText(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	rest := []byte(text)
	for {
		block, after := pem.Decode(rest)
		if block == nil {
			b.Write(rest)
			return b.String()
		}
		if block.Type == "PRIVATE KEY" {
			key, err := ca.ParseKey(pem.EncodeToMemory(block), "key", nil)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "private key %s\n", ca.KeyName(key.Public()))
		} else if block.Type != "CERTIFICATE" {
			b.WriteString(block.Type + "\n") // such as an encrypted key
		} else if cert, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Fatal(err)
		} else {
			b.WriteString(describeCertificate(cert) + "\n")
		}
		rest = after
	}
}

// describeCertificate lists all fields but the serial number, the key, and what
// follows from them.
func describeCertificate(cert *x509.Certificate) string {
	var extensions []string
	for _, e := range cert.Extensions {
		extensions = append(extensions, fmt.Sprintf("%v %v", e.Id, e.Critical))
	}
	return fmt.Sprintf("certificate of %s by %s\n%v to %v\n%v, signed with %v\nnames %v\nusage %b %v %v\nCA %v %d %v\npermitted %v\nextensions %v\nlinks %v %v %v",
		ca.FormatName(cert.RawSubject), ca.FormatName(cert.RawIssuer), cert.NotBefore, cert.NotAfter,
		ca.KeyName(cert.PublicKey), cert.SignatureAlgorithm, ca.SANsOf(cert).Strings(),
		cert.KeyUsage, cert.ExtKeyUsage, cert.UnknownExtKeyUsage, cert.IsCA, cert.MaxPathLen, cert.MaxPathLenZero,
		ca.PermittedNames(cert), extensions, cert.CRLDistributionPoints, cert.OCSPServer, cert.IssuingCertificateURL)
}

// flowWorld is what a flow is given in tests: a PKI directory, a clock, and
// passphrases by name that nobody needs to type.
func flowWorld(dir string, now func() time.Time, given map[string]string) *world {
	return &world{
		Options: Options{
			Program: "pkictl", Dir: dir, Now: now,
			GivenPassphrase: func(name string) ([]byte, error) {
				if value := given[name]; value != "" {
					return []byte(value), nil
				}
				return nil, nil
			},
		},
		ctx: context.Background(), theme: newTheme(true),
	}
}

// jobLog is a job for tests, with what the flow has told it.
type jobLog struct {
	begun, done, warned, asked []string
}

// newJob answers all that it is asked for with testPassword.
func (l *jobLog) newJob() *job {
	ask := func(kind string) ca.Passphrase {
		return func(name string) ([]byte, error) {
			l.asked = append(l.asked, kind+" "+name)
			return []byte(testPassword), nil
		}
	}
	return &job{
		begin: func(step string) { l.begun = append(l.begun, step) },
		done:  func(what string) { l.done = append(l.done, what) },
		warn:  func(text string) { l.warned = append(l.warned, text) },

		waiting:    func(string) {},
		passphrase: ask("old"), newPassphrase: ask("new"),
	}
}
