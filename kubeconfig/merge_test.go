package kubeconfig_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/kubeconfig"
)

// source is what is merged in most tests.
const source = `apiVersion: v1
kind: Config
current-context: jane@prod
clusters:
- name: prod
  cluster: {server: "https://10.0.0.10:6443", as-yet-unknown: [1, 2]}
users:
- name: jane
  user: {token: secret-of-jane}
contexts:
- name: jane@prod
  context:
    cluster: prod
    user: jane
    extensions:
    - name: mine
      extension: {a: b}
`

// The entries of the source as they stand in a target.
const (
	newCluster = `- name: prod
  cluster:
    server: "https://10.0.0.10:6443"
    as-yet-unknown:
    - 1
    - 2
`
	newUser = `- name: jane
  user:
    token: secret-of-jane
`
	newContext = `- name: jane@prod
  context:
    cluster: prod
    user: jane
    extensions:
    - name: mine
      extension:
        a: b
`
)

func indented(text, margin string) string {
	return margin + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+margin) + "\n"
}

// TestMergeBytes: nothing of the target changes but what is inserted. CLUSTER,
// USER and CONTEXT stand for that.
func TestMergeBytes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"plain": "apiVersion: v1\nclusters:\n- name: a\n  cluster: {server: https://a}\nCLUSTERcontexts:\n- name: a\n  context: {cluster: a, user: a}\nCONTEXTcurrent-context: a\nkind: Config\n" +
			"users:\n- name: a\n  user: {token: t}\nUSER",
		"comments": "# mine\nkind: Config   # kept\napiVersion: v1\nx-unknown: {a: [1, 2]}\n\nclusters: # the clusters\n# the first\n- name: a # it\n  cluster: {server: https://a}\n\n# the second\n" +
			"- cluster:\n    server: https://b\n  name: b\nCLUSTER\n# of users\nusers:\n  # indented\n  - name: a\n    user:\n      token: |\n        t\n  INDENTUSER  # behind\n\npreferences:\n  colors: true\n" +
			"contexts:\n-\n  name: a\n  context: {cluster: a, user: a}\nCONTEXT# the end\ncurrent-context: \"a\"\n",
		"no lists": "apiVersion: v1\nkind: Config\ncurrent-context: a # of nothing\nclusters:\n- name: a\n  cluster: {server: https://a}\nCLUSTERcontexts:\nCONTEXTusers:\nUSER",
		"sorted by kubectl, no current context": "apiVersion: v1\nclusters:\n- cluster:\n    server: https://a\n  name: a\nCLUSTERcontexts:\n- context:\n    cluster: a\n    user: a\n  name: a\n" +
			"CONTEXTcurrent-context: CURRENT\nkind: Config\npreferences: {}\nusers:\n- name: a\n  user: {}\nUSER",
	} {
		before := strings.NewReplacer("  INDENTUSER", "", "CLUSTER", "", "USER", "", "CONTEXT", "", "CURRENT", `""`).Replace(text)
		want := strings.NewReplacer("  INDENTUSER", indented(newUser, "  "), "CLUSTER", newCluster, "USER", newUser, "CONTEXT", newContext, "CURRENT", "jane@prod").Replace(text)
		if name == "no lists" {
			before = strings.NewReplacer("users:\n", "", "contexts:\n", "").Replace(before)
		}
		for _, ends := range []string{"\n", "\r\n"} {
			got, err := kubeconfig.MergeData([]byte(strings.ReplaceAll(before, "\n", ends)), []byte(source), "target", "source", kubeconfig.MergeOptions{})
			if want := strings.ReplaceAll(want, "\n", ends); err != nil || string(got) != want {
				t.Errorf("%s, %q: %v\n%s\nbecame\n%s\nwant\n%s", name, ends, err, before, got, want)
			}
			again, err := kubeconfig.MergeData(got, []byte(source), "target", "source", kubeconfig.MergeOptions{})
			if err != nil || again != nil {
				t.Errorf("%s: once more: %v\n%s", name, err, again)
			}
		}
	}
}

// TestMergeReplaces: what is replaced takes the place of the old one, and
// nothing else changes.
func TestMergeReplaces(t *testing.T) {
	t.Parallel()
	text := "clusters:\n- name: a\n  cluster: {server: https://a}\n# of prod\nPROD# behind\n- name: z\n  cluster: {server: https://z}\nusers:\n- name: jane\n  user: {token: secret-of-jane}\nUSER" +
		"contexts:\nCONTEXT\ncurrent-context: other # mine\n"
	before := strings.NewReplacer("PROD", "- cluster: {server: https://old}\n  name: prod\n\n", "USER", "", "CONTEXT", "- {name: jane@prod, context: {cluster: prod, user: jane, namespace: x}}").Replace(text)
	_, err := kubeconfig.MergeData([]byte(before), []byte(source), "target", "source", kubeconfig.MergeOptions{})
	if err == nil || !strings.Contains(err.Error(), `cluster "prod" of "source" (https://10.0.0.10:6443) is not that of "target" (https://old)`) ||
		!strings.Contains(failure.HintOf(err), "--rename jane@prod=NEW") || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	got, err := kubeconfig.MergeData([]byte(before), []byte(source), "target", "source", kubeconfig.MergeOptions{Replace: true, SetCurrent: true})
	want := strings.NewReplacer("PROD", newCluster+"\n", "USER", "", "CONTEXT", strings.TrimSuffix(newContext, "\n"), "other", "jane@prod").Replace(text)
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

// TestMergeForms: targets in forms that are not edited are written anew, and say
// what they said.
func TestMergeForms(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":           "",
		"a comment":         "# mine\n",
		"null":              "null\n",
		"empty by kubectl":  "apiVersion: v1\nclusters: null\ncontexts: null\ncurrent-context: \"\"\nkind: Config\nusers: []\n",
		"no value":          "apiVersion: v1\nkind: Config\nclusters:\ncurrent-context:\nusers:\n",
		"JSON":              `{"apiVersion":"v1","kind":"Config","clusters":[{"name":"yes","cluster":{"server":"https://a"}}],"users":[],"contexts":[]}`,
		"lists in a line":   "users: [{name: a, user: {token: t}}]\nclusters: [{name: a, cluster: {server: https://a}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n",
		"an anchor":         "clusters:\n- name: a\n  cluster: &c {server: https://a}\n- name: b\n  cluster: *c\nusers: []\n",
		"a merge key":       "x: &c {server: https://a}\nclusters:\n- name: a\n  cluster: {<<: *c}\n",
		"a long text":       "users:\n- name: a\n  user:\n    token: |\n      abc\n\n      # no comment\n",
		"a byte order mark": "\ufeffapiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster: {server: https://a}\n",
		"a start":           "---\n# a\napiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster: {server: https://a}\n",
	} {
		data, err := kubeconfig.MergeData([]byte(text), []byte(source), "target", "source", kubeconfig.MergeOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		dir := t.TempDir()
		write(t, dir, "target", text)
		write(t, dir, "source", source)
		write(t, dir, "merged", string(data))
		same(t, name, kubectlView(t, dir, "merged"), kubectlView(t, dir, "target:source"))
	}
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// kubectlView is what kubectl says of a list of kubeconfigs, without the order
// of their entries.
func kubectlView(t testing.TB, dir, list string) map[string]any {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "tools", "bin", "kubectl"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "config", "view", "--raw", "--flatten", "-o", "json")
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "KUBECONFIG=" + list}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl: %v\n%s", err, out)
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func same(t testing.TB, what string, got, want map[string]any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: kubectl finds\n%v\nwant\n%v", what, got, want)
	}
}

// TestMergeBad: what kubectl cannot use, or what is more than it seems, is
// refused with a reason that holds no secret.
func TestMergeBad(t *testing.T) {
	t.Parallel()
	const c, u, x = "clusters: [{name: c, cluster: {server: https://c}}]\n", "users: [{name: u, user: {token: secret}}]\n", "contexts: [{name: x, context: {cluster: c, user: u}}]\n"
	for _, test := range []struct{ name, source, says, hint string }{
		{"empty", "", "has no context", "set-context"},
		{"comments", "# a\n\n", "has no context", "set-context"},
		{"no contexts", c + u, "has no context", "set-context"},
		{"two documents", c + u + x + "---\n" + c, "several YAML documents", "a file of each"},
		{"tabs", "clusters:\n\t- name: c\n", "is not YAML: line 2", "spaces"},
		{"no YAML", "secret: [", "is not YAML", "line"},
		{"a list", "[secret]\n", "is not a kubeconfig", "kind: Config"},
		{"a text", "secret", "is not a kubeconfig", "kind: Config"},
		{"something else", "apiVersion: v1\nkind: Secret\n", "is not a kubeconfig", "kind: Config"},
		{"other YAML", "secret: x\n", "is not a kubeconfig", "kind: Config"},
		{"two users", c + "users:\n- name: u\n  user: {token: secret}\n- name: u\n  user: {token: other}\n" + x, `two users named "u", in lines 3 and 5`, "rename"},
		{"two contexts", c + u + "contexts: [{name: x, context: {cluster: c, user: u}}, {name: x}]\n", `two contexts named "x"`, "rename"},
		{"a key twice", c + u + x + c, `the key "clusters" twice`, "remove"},
		{"a name that is a number", "clusters: [{name: 1, cluster: {server: https://c}}]\n" + u + x, "kubectl cannot read", "correct"},
		{"bad base64", c + "users: [{name: u, user: {client-key-data: '!secret'}}]\n" + x, "cannot read", ""},
		{"no cluster", u + x, `context "x" of "source" names the cluster "c", which is not`, "--context"},
		{"no user", c + x, `names the user "u", which is not`, "--context"},
		{"an empty cluster", c + u + "contexts: [{name: x, context: {user: u}}]\n", `names no cluster`, "--context"},
		{"nothing in a context", c + u + "contexts: [{name: x}]\n", `names no cluster`, "--context"},
		{"an endless alias", "x: &a [*a]\n" + c + u + x, "is not a kubeconfig", ""},
		{"a bomb", "a: &a [z,z,z,z,z,z,z,z,z]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n" +
			"e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n" + c + u + x, "is not a kubeconfig", ""},
	} {
		got, err := kubeconfig.MergeData(nil, []byte(test.source), "target", "source", kubeconfig.MergeOptions{})
		if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(failure.HintOf(err), test.hint) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v (hint %q)\n%s", test.name, err, failure.HintOf(err), got)
		}
	}
}

// TestMergeDangers: what runs a command or weakens TLS needs its own word.
func TestMergeDangers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, cluster, user, says, flag string }{
		{"exec", "server: https://c", "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./steal, args: [secret], interactiveMode: Never}", `runs the command "/src/steal"`, "--allow-exec"},
		{"auth-provider", "server: https://c", "auth-provider: {name: oidc, config: {client-secret: secret}}", `auth-provider "oidc"`, "--allow-exec"},
		{"insecure", "server: https://c, insecure-skip-tls-verify: true", "token: secret", "insecure-skip-tls-verify", "--allow-insecure"},
		{"proxy", "server: https://c, proxy-url: 'http://joe:secret@p:1'", "token: t", "through the proxy http://p:1 ", "--allow-insecure"},
		{"file", "server: https://c", "tokenFile: ../home/.ssh/id", `sends what is in "/home/.ssh/id" to its API server`, "--allow-token-file"},
		{"http", "server: http://c", "token: secret", `"http://c", which is not https`, "--allow-insecure"},
		{"no scheme", "server: 'c:80'", "token: secret", "not https", "--allow-insecure"},
		{"no server", "tls-server-name: x", "token: secret", "not https", "--allow-insecure"},
		{"by a merge key", "<<: {insecure-skip-tls-verify: true}, server: https://c", "token: secret", "insecure-skip-tls-verify", "--allow-insecure"},
	} {
		text := "clusters: [{name: c, cluster: {" + test.cluster + "}}]\nusers: [{name: u, user: {" + test.user + "}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
		merge := func(o kubeconfig.MergeOptions) ([]byte, error) {
			return kubeconfig.MergeData(nil, []byte(text), "/dst/target", "/src/source", o)
		}
		_, err := merge(kubeconfig.MergeOptions{AllowExec: test.flag != "--allow-exec", AllowInsecure: test.flag != "--allow-insecure", AllowTokenFile: test.flag != "--allow-token-file"})
		if err == nil || failure.KindOf(err) != failure.Refused || !strings.Contains(err.Error(), test.says) || !strings.Contains(failure.HintOf(err), test.flag) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", test.name, err)
		}
		got, err := merge(kubeconfig.MergeOptions{AllowExec: test.flag == "--allow-exec", AllowInsecure: test.flag == "--allow-insecure", AllowTokenFile: test.flag == "--allow-token-file"})
		if err != nil || got == nil {
			t.Errorf("%s, allowed: %v", test.name, err)
			continue
		}
		// What is there already is not asked about again.
		again, err := kubeconfig.MergeData(got, []byte(text), "/dst/target", "/src/source", kubeconfig.MergeOptions{})
		if err != nil || again != nil {
			t.Errorf("%s, once more: %v\n%s", test.name, err, again)
		}
	}
}

// TestMergePaths: relative paths lead to the same files from another directory,
// and --embed puts the files in.
func TestMergePaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, sub := range []string{"src/pki", "home"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "src/pki/ca.crt", "the CA")
	write(t, dir, "src/jane.crt", "the certificate")
	write(t, dir, "src/jane.key", "the key")
	write(t, dir, "src/config", `clusters: [{name: c, cluster: {server: "https://c", certificate-authority: pki/ca.crt}}]
users: [{name: u, user: {client-certificate: ./jane.crt, client-key: ../src/jane.key, tokenFile: token, exec: {apiVersion: client.authentication.k8s.io/v1, command: ./get, interactiveMode: Never}}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
`)
	for into, want := range map[string][]string{
		"home/config": {"/src/pki/ca.crt", "/src/jane.crt", "/src/jane.key", "/src/token", "/src/get"},
		"config":      {"src/pki/ca.crt", "src/jane.crt", "src/jane.key", "src/token", "/src/get"}, // a command stays absolute
		"src/other":   {"pki/ca.crt", "jane.crt", "jane.key", "token", "/src/get"},
	} {
		o := kubeconfig.MergeOptions{Sources: []string{filepath.Join(dir, "src/config")}, Into: []string{filepath.Join(dir, into)}, AllowExec: true, AllowTokenFile: true}
		if _, err := kubeconfig.Merge(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		config, err := kubeconfig.Load(o.Into[0])
		if err != nil {
			t.Fatal(err)
		}
		u := config.AuthInfos["u"]
		got := []string{config.Clusters["c"].CertificateAuthority, u.ClientCertificate, u.ClientKey, u.TokenFile, u.Exec.Command}
		for i := range got {
			if strings.HasPrefix(want[i], "/") {
				want[i] = dir + want[i]
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", into, got, want)
		}
		o.Embed, o.Rename = true, []string{"embedded"}
		if _, err := kubeconfig.Merge(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		if config, err = kubeconfig.Load(o.Into[0]); err != nil {
			t.Fatal(err)
		}
		u = config.AuthInfos["embedded"]
		if string(config.Clusters["embedded"].CertificateAuthorityData) != "the CA" || string(u.ClientCertificateData) != "the certificate" || string(u.ClientKeyData) != "the key" || u.ClientKey != "" {
			t.Errorf("%s: embedded: %+v", into, u)
		}
	}
}

// randomConfig returns a kubeconfig with n contexts, whose names, and those of
// all in them, begin with a prefix, in one of many forms.
func randomConfig(r *rand.Rand, prefix string, n int) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	quoted := func(s string) string {
		data, _ := json.Marshal(s) // a text
		return string(data)
	}
	var c, u, x strings.Builder
	var names []string
	for i := range n {
		name := fmt.Sprintf("%s%d %s", prefix, i, nasty[r.IntN(len(nasty))])
		names = append(names, name)
		q := quoted(name)
		comment := pick("", " # a comment", "   ")
		fmt.Fprintf(&c, "- name: %s%s\n  cluster:\n    server: https://%d\n%s", q, comment, i, pick("", "    tls-server-name: yes.example\n", "    unknown: {a: 1}\n", "\n", "# between\n"))
		fmt.Fprintf(&u, "- user: {%s}\n  name: %s\n", pick("token: t", "username: a, password: 'b'", `as: x, as-groups: ["y", "z"]`, `client-key-data: a2V5`), q)
		fmt.Fprintf(&x, "- context: {cluster: %s, user: %s%s}%s\n  name: %s\n", q, q, pick("", ", namespace: dev", ", extensions: [{name: e, extension: {k: [1, a]}}]"), comment, q)
	}
	current := ""
	if prefix == "s" || r.IntN(2) == 0 {
		current = fmt.Sprintf("current-context: %s\n", quoted(names[r.IntN(n)]))
	}
	if prefix == "s" { // preferences do not come over
		pick = func(...string) string { return "" }
	}
	parts := []string{"clusters:\n" + c.String(), "users:\n" + u.String(), "contexts:\n" + x.String(), current, "apiVersion: v1\nkind: Config\n", pick("", "preferences: {colors: true}\n"), pick("", "# text\n\n")}
	r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return strings.Join(parts, "")
}

// TestMergeLikeKubectl: where nothing collides, kubectl finds in the result what
// it finds in both files.
func TestMergeLikeKubectl(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 4))
		dir := t.TempDir()
		write(t, dir, "target", randomConfig(r, "t", 1+r.IntN(4)))
		write(t, dir, "source", randomConfig(r, "s", 1+r.IntN(4)))
		want := kubectlView(t, dir, "target:source")
		o := kubeconfig.MergeOptions{Sources: []string{filepath.Join(dir, "source")}, Into: []string{filepath.Join(dir, "target")}}
		if _, err := kubeconfig.Merge(context.Background(), o); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		same(t, fmt.Sprintf("seed %d", seed), kubectlView(t, dir, "target"), want)
	}
}

// TestMergeIntoList: an entry is replaced where it is; what is new goes where
// kubectl puts it.
func TestMergeIntoList(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	paths := []string{filepath.Join(dir, "none"), filepath.Join(dir, "a"), filepath.Join(dir, "b")}
	write(t, dir, "a", "current-context: x\n")
	write(t, dir, "b", "clusters:\n- name: prod\n  cluster: {server: https://old}\n")
	write(t, dir, "source", source)
	o := kubeconfig.MergeOptions{Sources: []string{filepath.Join(dir, "source")}, Into: paths, Replace: true}
	result, err := kubeconfig.Merge(context.Background(), o)
	if err != nil || !reflect.DeepEqual(result.Files, paths[1:]) {
		t.Fatalf("%v %+v", err, result)
	}
	a, _ := os.ReadFile(paths[1])
	b, _ := os.ReadFile(paths[2])
	if string(a) != "current-context: x\ncontexts:\n"+newContext+"users:\n"+newUser || string(b) != "clusters:\n"+newCluster {
		t.Errorf("%s\n%s", a, b)
	}
	if _, err := os.Stat(paths[0]); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	// kubectl does the same with a context of its own.
	kubectl := exec.Command(filepath.Join("..", "tools", "bin", "kubectl"), "config", "set-context", "k")
	kubectl.Env = []string{"KUBECONFIG=" + strings.Join(paths, ":"), "HOME=" + dir}
	if out, err := kubectl.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if config, err := kubeconfig.Load(paths[1]); err != nil || config.Contexts["k"] == nil || config.Contexts["jane@prod"] == nil {
		t.Errorf("%v %+v", err, config)
	}
}

// FuzzMerge: whatever the files are, the result is a kubeconfig that holds all
// that the target held, and merging it again changes nothing.
func FuzzMerge(f *testing.F) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 5))
		f.Add([]byte(randomConfig(r, "t", 2)), []byte(randomConfig(r, "s", 2)), seed%2 == 0)
	}
	for _, text := range replaceable {
		f.Add([]byte(text), []byte(source), true)
	}
	f.Add([]byte(source), []byte(strings.ReplaceAll(source, "10.0", "10.1")), true)
	f.Fuzz(func(t *testing.T, target, source []byte, replace bool) {
		o := kubeconfig.MergeOptions{Replace: replace, AllowExec: true, AllowInsecure: true, AllowTokenFile: true}
		got, err := kubeconfig.MergeData(target, source, "/t/target", "/s/source", o)
		if err != nil {
			if got != nil || failure.HintOf(err) == "" || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v and hint %q\n%s", err, failure.HintOf(err), got)
			}
			return
		}
		if got == nil {
			return
		}
		config, err := clientcmd.Load(got)
		if err != nil {
			t.Fatalf("%v\n%s", err, got)
		}
		if old, err := clientcmd.Load(target); err == nil {
			for name, was := range old.AuthInfos {
				if is := config.AuthInfos[name]; is == nil || !replace && !reflect.DeepEqual(is, was) {
					t.Fatalf("user %q is %+v\n%s", name, is, got)
				}
			}
			for name, was := range old.Clusters {
				if is := config.Clusters[name]; is == nil || !replace && !reflect.DeepEqual(is, was) {
					t.Fatalf("cluster %q is %+v\n%s", name, is, got)
				}
			}
			for name, was := range old.Contexts {
				if is := config.Contexts[name]; is == nil || !replace && !reflect.DeepEqual(is, was) {
					t.Fatalf("context %q is %+v\n%s", name, is, got)
				}
			}
		}
		if again, err := kubeconfig.MergeData(got, source, "/t/target", "/s/source", o); err != nil || again != nil {
			t.Fatalf("once more: %v\n%q\n%q", err, got, again)
		}
	})
}
