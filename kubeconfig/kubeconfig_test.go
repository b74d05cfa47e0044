package kubeconfig_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/kubeconfig"
)

func entry() kubeconfig.Entry {
	return kubeconfig.Entry{
		Server: "https://10.0.0.10:6443", Cluster: kubeconfig.DefaultCluster, User: "jane", Namespace: "dev",
		CAPEM: []byte("-----BEGIN CA\n"), CertPEM: []byte("-----BEGIN CERT\n"), KeyPEM: []byte("-----BEGIN KEY\n"),
	}
}

// kubectl runs the real one in an empty environment.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := kubectlCommand(t, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %q: %v (make test builds it)\n%s", args, err, out)
	}
	return string(out)
}

func kubectlCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "tools", "bin", "kubectl"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"HOME=" + t.TempDir()}
	return cmd
}

// config is what kubectl prints of a kubeconfig.
type config struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Clusters   []struct {
		Name    string         `json:"name"`
		Cluster map[string]any `json:"cluster"`
	} `json:"clusters"`
	Users []struct {
		Name string         `json:"name"`
		User map[string]any `json:"user"`
	} `json:"users"`
	Contexts []struct {
		Name    string         `json:"name"`
		Context map[string]any `json:"context"`
	} `json:"contexts"`
	CurrentContext string `json:"current-context"`
}

func view(t *testing.T, path string) string {
	t.Helper()
	return kubectl(t, "config", "view", "--raw", "--flatten", "-o", "json", "--kubeconfig", path)
}

// nasty are names that YAML, shells or terminals take for something else.
var nasty = []string{
	"jane", "system:node:worker-1", "yes", "n", "-x", "null", "~", "0x10", "1e3", "2026-01-01", "- a", "a: b", "#x", "&a", "*a", "!!str x", "{}", "[a]",
	"it's", `"q"`, `back\slash`, "%x", "@x", "`x`", "a,b=c", "Größe", "日本語", "🔑", " a ", "a b", "|", ">", "?", "<<", ".", "=",
}

// TestKubectlReadsIt asks kubectl what an entry says.
func TestKubectlReadsIt(t *testing.T) {
	t.Parallel()
	for _, name := range nasty {
		e := entry()
		e.User, e.Cluster = name, "c "+name
		if name == "yes" {
			e.Namespace = ""
		}
		data, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "x.conf")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var got config
		if err := json.Unmarshal([]byte(view(t, path)), &got); err != nil {
			t.Fatal(err)
		}
		if got.Kind != "Config" || got.APIVersion != "v1" || len(got.Clusters) != 1 || len(got.Users) != 1 || len(got.Contexts) != 1 {
			t.Fatalf("%q: %+v", name, got)
		}
		wantEntry(t, got.Clusters[0].Name, got.Clusters[0].Cluster, e.Cluster, map[string]string{
			"server": e.Server, "certificate-authority-data": base64.StdEncoding.EncodeToString(e.CAPEM),
		})
		wantEntry(t, got.Users[0].Name, got.Users[0].User, e.User, map[string]string{
			"client-certificate-data": base64.StdEncoding.EncodeToString(e.CertPEM),
			"client-key-data":         base64.StdEncoding.EncodeToString(e.KeyPEM),
		})
		context := map[string]string{"cluster": e.Cluster, "user": e.User}
		if e.Namespace != "" {
			context["namespace"] = e.Namespace
		}
		wantEntry(t, got.Contexts[0].Name, got.Contexts[0].Context, e.User+"@"+e.Cluster, context)
		if got.CurrentContext != e.Context() {
			t.Errorf("%q: current context %q", name, got.CurrentContext)
		}
	}
}

func wantEntry(t *testing.T, gotName string, got map[string]any, name string, want map[string]string) {
	t.Helper()
	if gotName != name {
		t.Errorf("name %q, want %q", gotName, name)
	}
	for field, value := range want {
		if got[field] != value {
			t.Errorf("%s: %s is %v, want %q", name, field, got[field], value)
		}
	}
	for field, value := range got {
		if _, known := want[field]; !known {
			t.Errorf("%s: %s is %v, and was not asked for", name, field, value)
		}
	}
}

// TestExplain runs the kubectl commands and compares the result with ours.
func TestExplain(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"jane", "it's $HOME `x` \"q\"", "system:node:a", "-x"} {
		for _, namespace := range []string{"", "dev"} {
			dir := t.TempDir()
			e := entry()
			e.User, e.Cluster, e.Namespace = name, "c "+name, namespace
			files := map[string][]byte{"ca.crt": e.CAPEM, "it's.crt": e.CertPEM, "it's.key": e.KeyPEM}
			for file, data := range files {
				if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			ours, err := e.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "ours"), ours, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("sh", "-eu")
			cmd.Dir = dir
			cmd.Stdin = strings.NewReader(e.Explain("the irs", "ca.crt", "it's.crt", "it's.key"))
			bin, err := filepath.Abs(filepath.Join("..", "tools", "bin"))
			if err != nil {
				t.Fatal(err)
			}
			cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if our, their := view(t, filepath.Join(dir, "ours")), view(t, filepath.Join(dir, "the irs")); our != their {
				t.Errorf("%q: ours\n%s\nthe recipe's\n%s", name, our, their)
			}
			if info, err := os.Stat(filepath.Join(dir, "the irs")); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the recipe's file has mode %v (%v)", info.Mode(), err)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := []string{
		"https://10.0.0.10:6443", "https://[fd00::1]:6443", "https://api.example.com", "https://api.example.com/k8s/clusters/c-1", "HTTPS://a:1",
	}
	for _, server := range good {
		e := entry()
		e.Server = server
		if err := e.Validate(); err != nil {
			t.Errorf("%s: %v", server, err)
		}
	}
	bad := map[string]kubeconfig.Entry{}
	for _, server := range []string{
		"", "10.0.0.10", "10.0.0.10:6443", "localhost:6443", "http://10.0.0.10:6443", "https://", "https://:6443", "https:///x", "ftp://x",
		"https://user:pw@x", "https://x?y", "https://x#y", "https://a b", "https://x:port", "https://x\n", "https://[fd00::1", "//x", "https:x",
	} {
		e := entry()
		e.Server = server
		bad["server "+server] = e
	}
	for _, namespace := range []string{"Dev", "a/b", "a.b", "-a", "a b", strings.Repeat("a", 64), "a\n"} {
		e := entry()
		e.Namespace = namespace
		bad["namespace "+namespace] = e
	}
	for _, cluster := range []string{"", "a\nb", "a\x00", "a\u202e", "\xff"} {
		e := entry()
		e.Cluster = cluster
		bad["cluster "+cluster] = e
	}
	for name, e := range bad {
		err := e.Validate()
		if err == nil || failure.KindOf(err) != failure.Usage || failure.HintOf(err) == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, hint %q", name, err, failure.HintOf(err))
		}
	}
}

func TestCheckReplace(t *testing.T) {
	t.Parallel()
	own, err := entry().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	other := entry()
	other.User = "joe"
	two, err := other.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, data, says string }{
		{"the same entry", string(own), ""},
		{"nothing", "apiVersion: v1\nkind: Config\n", ""},
		{"another user", string(two), "holds other entries"},
		{"another cluster besides", strings.Replace(string(own), "clusters:\n", "clusters:\n- name: x\n  cluster: {server: https://x}\n", 1), "holds other entries"},
		{"empty file", "", "not a kubeconfig"},
		{"a Pod", "apiVersion: v1\nkind: Pod\n", "not a kubeconfig"},
		{"no YAML", "{", "not a kubeconfig"},
		{"large", strings.Repeat("# comment\n", 1<<19), "larger than 4 MiB"},
	}
	for _, test := range tests {
		path := filepath.Join(t.TempDir(), "x.conf")
		if err := os.WriteFile(path, []byte(test.data), 0o600); err != nil {
			t.Fatal(err)
		}
		err := entry().CheckReplace(path)
		if test.says == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.says) || failure.HintOf(err) == "" {
			t.Errorf("%s: %v, hint %q; want %q", test.name, err, failure.HintOf(err), test.says)
		}
	}
	if err := entry().CheckReplace(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no file, no error")
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	const secret = "c2VjcmV0LWtleQ"
	for _, data := range []string{
		"apiVersion: v1\nkind: Config\nusers: [{name: a, user: {}}, {name: a, user: {}}]\n", // kubectl refuses that, too
		"", "null", "[]", "text", "1", "\x00", "{", "kind: Config", "apiVersion: v1", "apiVersion: v2\nkind: Config", "apiVersion: v1\nkind: List\nitems: []",
		"apiVersion: v1\nkind: Config\nclusters: x", "apiVersion: v1\nkind: Config\nusers: [{name: a, user: {client-key-data: [" + secret + "]}}]",
		"apiVersion: v1\nkind: Config\nusers: [{name: a, user: {client-key-data: '" + secret + "!'}}]", "a: &a [*a, *a]", "apiVersion: v1\nkind: [Config]",
	} {
		config, err := kubeconfig.Parse([]byte(data), "x.conf")
		if err == nil {
			t.Errorf("%q: %+v", data, config)
			continue
		}
		if !strings.Contains(err.Error(), `"x.conf"`) || failure.HintOf(err) == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, hint %q", data, err, failure.HintOf(err))
		}
		if strings.Contains(err.Error(), secret[:6]) {
			t.Errorf("the error shows a key: %v", err)
		}
	}
}

// TestParseLikeKubectl reads files that others wrote, as kubectl does.
func TestParseLikeKubectl(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"apiVersion":"v1","kind":"Config","clusters":[{"name":"a","cluster":{"server":"https://x"}}],"users":[],"contexts":null}`,
		"users:\n- name: a\n  user:\n    exec: {command: x, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}\n",
		"apiVersion: v1\nkind: Config\nusers: [{name: a, user: {token: one}}, {name: b, user: {token: two}}]\n",
		"apiVersion: v1\nkind: Config\npreferences: {}\nunknown: field\ncurrent-context: none\n",
		"# a comment\n---\napiVersion: v1\nkind: Config\ncontexts: [{name: c, context: {cluster: a, user: b, namespace: ns}}]\n",
		"apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'https://x', extensions: [{name: e, extension: {a: 1}}]}}]\n",
	} {
		path := filepath.Join(t.TempDir(), "x.conf")
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		ours, err := kubeconfig.Load(path)
		if err != nil {
			t.Errorf("%s: %v", data, err)
			continue
		}
		var theirs config
		if err := json.Unmarshal([]byte(view(t, path)), &theirs); err != nil {
			t.Fatal(err)
		}
		if len(ours.Clusters) != len(theirs.Clusters) || len(ours.AuthInfos) != len(theirs.Users) || len(ours.Contexts) != len(theirs.Contexts) ||
			ours.CurrentContext != theirs.CurrentContext {
			t.Errorf("%s: we read %+v, kubectl %+v", data, ours, theirs)
		}
		for _, user := range theirs.Users {
			if token, _ := user.User["token"].(string); ours.AuthInfos[user.Name] == nil || token != "REDACTED" && token != ours.AuthInfos[user.Name].Token {
				t.Errorf("%s: user %q differs", data, user.Name)
			}
		}
	}
}

// TestParseRefusesLikeKubectl: what kubectl cannot read is not read, and what it
// passes over is found by the check.
func TestParseRefusesLikeKubectl(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: v1\nkind: Config\n"
	for _, test := range []struct {
		name, data string
		reads      bool
		finds      string
	}{
		{"number for a token", head + "users: [{name: a, user: {token: 12345}}]\n", false, "cannot unmarshal number"},
		{"other case", head + "Clusters: [{name: a, cluster: {server: https://x}}]\nUsers: []\n", true, `kubectl does not read "Clusters" in line 3`},
		{"two documents", head + "users: [{name: a, user: {token: one}}]\n---\n" + head + "users: [{name: b, user: {token: two}}]\n", true, "several YAML documents"},
		{"list that stands twice", head + "users: [{name: a, user: {token: one}}]\nusers: [{name: b, user: {token: two}}]\n", true, `the key "users" twice, the second time in line 4`},
	} {
		path := filepath.Join(t.TempDir(), "x.conf")
		if err := os.WriteFile(path, []byte(test.data), 0o600); err != nil {
			t.Fatal(err)
		}
		ours, err := kubeconfig.Load(path)
		out, kubectlErr := kubectlCommand(t, "config", "view", "--raw", "-o", "json", "--kubeconfig", path).Output()
		if (err == nil) != test.reads || (kubectlErr == nil) != test.reads {
			t.Errorf("%s: %v, and kubectl: %v", test.name, err, kubectlErr)
			continue
		}
		var theirs config
		if test.reads {
			if err := json.Unmarshal(out, &theirs); err != nil {
				t.Fatal(err)
			}
			if len(ours.Clusters) != len(theirs.Clusters) || len(ours.AuthInfos) != len(theirs.Users) || len(theirs.Users) > 0 && ours.AuthInfos[theirs.Users[0].Name] == nil {
				t.Errorf("%s: we read %+v, kubectl %+v", test.name, ours, theirs)
			}
		}
		report, err := kubeconfig.Check(t.Context(), kubeconfig.CheckOptions{Files: []string{path}, Offline: true})
		if err != nil || report.OK || !strings.Contains(report.Findings[0].Message, test.finds) || report.Findings[0].Hint == "" {
			t.Errorf("%s: %v, %+v", test.name, err, report)
		}
	}
}

// FuzzParse: whatever is not taken for a kubeconfig gives one error, without
// what is in the file.
func FuzzParse(f *testing.F) {
	own, err := entry().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own)
	f.Add([]byte(`{"apiVersion":"v1","kind":"Config","clusters":[{"name":"a","cluster":{"server":"https://x"}}]}`))
	f.Add([]byte("users:\n- name: a\n  user:\n    exec: {command: x, apiVersion: client.authentication.k8s.io/v1}\n"))
	f.Add([]byte("apiVersion: v1\nkind: Config\nusers: [{name: a}, {name: a}]\n"))
	f.Add([]byte("a: &a [x]\nb: *a\n"))
	f.Add([]byte("apiVersion: v1\nkind: Config\ncurrent-context: 1\npreferences: {}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := kubeconfig.Parse(data, "x.conf")
		if err != nil {
			if got != nil || failure.HintOf(err) == "" || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v and hint %q", err, failure.HintOf(err))
			}
			return
		}
		for name, user := range got.AuthInfos {
			if user == nil {
				t.Fatalf("user %q is nothing", name)
			}
		}
		for name, context := range got.Contexts {
			if context == nil || got.Clusters == nil {
				t.Fatalf("context %q is nothing", name)
			}
		}
	})
}

// FuzzMarshal: whatever an entry holds, it is read back as it was.
func FuzzMarshal(f *testing.F) {
	for _, name := range nasty {
		f.Add(name, "c", "dev", []byte("key"))
	}
	f.Fuzz(func(t *testing.T, user, cluster, namespace string, key []byte) {
		e := entry()
		e.User, e.Cluster, e.Namespace, e.KeyPEM = user, cluster, namespace, key
		for _, text := range []string{user, namespace, cluster} {
			check := entry()
			check.Cluster = text
			if check.Validate() != nil && text != "" {
				return // nor does ca let a user's name pass that cannot be printed
			}
		}
		data, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := kubeconfig.Parse(data, "x.conf")
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		context := got.Contexts[e.Context()]
		if got.CurrentContext != e.Context() || context == nil || context.Cluster != cluster || context.AuthInfo != user || context.Namespace != namespace ||
			got.Clusters[cluster] == nil || got.AuthInfos[user] == nil || string(got.AuthInfos[user].ClientKeyData) != string(key) {
			t.Fatalf("%+v is read back as %+v\n%s", e, got, data)
		}
	})
}
