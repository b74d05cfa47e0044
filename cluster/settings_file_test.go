package cluster

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

// fullSettings has something in each field.
func fullSettings() Settings {
	return Settings{
		Name: "demo", Nodes: []NodeSettings{{"cp-1", "10.0.0.11"}, {"cp-2", "fd00::12"}}, Endpoint: "k8s.example.com:6443", Port: 7443,
		ServiceCIDR: "10.97.0.0/16,fd00:97::/112", DNSDomain: "example.internal", SANs: []string{"yes", "10.0.0.10"},
		EtcdServerSANs: []string{"etcd.example.com"}, EtcdPeerSANs: []string{"peer.example.com"}, Key: "ecdsa-p384",
		KubernetesVersion: "v1.36.3", CAValidity: "5y", Validity: "90d", ExternalEtcd: true,
	}
}

// checkSettings reads settings and compares; each warning has to contain a text.
func checkSettings(t *testing.T, data []byte, want Settings, warnings []string) {
	t.Helper()
	got, said, err := ParseSettings(data, "file.yaml")
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, failure.HintOf(err))
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	if len(said) != len(warnings) {
		t.Fatalf("warnings %q, want %q", said, warnings)
	}
	for i, warning := range said {
		if !strings.Contains(warning, warnings[i]) || !strings.HasPrefix(warning, `"file.yaml", line `) {
			t.Errorf("warning %q, want %q", warning, warnings[i])
		}
	}
}

func TestSettingsMarshal(t *testing.T) {
	t.Parallel()
	full := reflect.ValueOf(fullSettings())
	for i := range full.NumField() {
		if full.Field(i).IsZero() {
			t.Errorf("field %s is empty", full.Type().Field(i).Name)
		}
	}
	for _, want := range []Settings{{}, fullSettings()} {
		data, err := want.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(data, []byte("# ")) {
			t.Errorf("no comment: %s", data)
		}
		checkSettings(t, data, want, nil)
		checkSettings(t, bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")), want, nil)
		checkSettings(t, append([]byte("---\n"), data...), want, nil)
	}
	checkSettings(t, []byte(`{"apiVersion": "pkictl.dev/v1", "kind": "Cluster", "port": 7443}`), Settings{Port: 7443}, nil)
}

func TestSettingsOver(t *testing.T) {
	t.Parallel()
	full := fullSettings()
	for _, test := range []struct{ flags, file, want Settings }{
		{Settings{}, full, full},
		{full, Settings{}, full},
		{full, Settings{Name: "other", Nodes: []NodeSettings{{"x", ""}}, Port: 1, SANs: []string{"a", "b", "c"}}, full},
		{
			Settings{Name: "flag", SANs: []string{"flag"}}, Settings{Name: "file", SANs: []string{"file"}, Port: 7443},
			Settings{Name: "flag", SANs: []string{"flag"}, Port: 7443},
		},
	} {
		if got := test.flags.Over(test.file); !reflect.DeepEqual(got, test.want) {
			t.Errorf("got %+v, want %+v", got, test.want)
		}
	}
}

func TestReadSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if s, found, err := ReadSettings(dir); err != nil || found || !reflect.DeepEqual(s, Settings{}) {
		t.Errorf("nothing there: %v, %v, %v", s, found, err)
	}
	write := func(data []byte) {
		if err := os.WriteFile(filepath.Join(dir, SettingsFile), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := fullSettings().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(data)
	if s, found, err := ReadSettings(dir); err != nil || !found || !reflect.DeepEqual(s, fullSettings()) {
		t.Errorf("%v, %v, %v", s, found, err)
	}
	for content, want := range map[string]string{
		"": "is empty",
		"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n": "configuration of kubeadm",
		"apiVersion: pkictl.dev/v1\nkind: Cluster\nnodez: []\n":            `line 3, column 1: unknown field "nodez" in Cluster`,
		strings.Repeat("#", 4<<20+1):                                       "larger than 4 MiB",
	} {
		write([]byte(content))
		if s, found, err := ReadSettings(dir); err == nil || found || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), SettingsFile) {
			t.Errorf("%.40q: %v, %v, %v", content, s, found, err)
		}
	}
}

const (
	ownHead  = "apiVersion: pkictl.dev/v1\nkind: Cluster\n"
	initHead = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
	ccHead   = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
	joinHead = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n"
)

func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, data, err, hint string }{
		{"nothing", "", `"f.yaml" is empty`, "begin with apiVersion"},
		{"blanks", " \n\n", `is empty`, "begin with"},
		{"comments", "# only\n---\n# that\n", `is empty`, "begin with"},
		{"null documents", "---\n---\nnull\n", `is empty`, "begin with"},
		{"a text", "hello\n", "line 1, column 1: there are no settings", "begin with"},
		{"a list", "- a\n", "there are no settings", "begin with"},
		{"no apiVersion", "kind: Cluster\n", "there is no apiVersion", "begin with"},
		{"no kind", "apiVersion: pkictl.dev/v1\n", "there is no kind", "begin with"},
		{"apiVersion is a number", "apiVersion: 1\nkind: Cluster\n", "there is no apiVersion", "begin with"},
		{"other API", "apiVersion: v1\nkind: ConfigMap\n", `"v1" of kind "ConfigMap" is not what`, "kubeadm.k8s.io/v1beta4"},
		{"later own version", "apiVersion: pkictl.dev/v2\nkind: Cluster\n", `"pkictl.dev/v2" of kind "Cluster" is not what`, "write apiVersion: pkictl.dev/v1"},
		{"kind misspelt", "apiVersion: pkictl.dev/v1\nkind: Clustre\n", "is not what", "did you mean kind: Cluster?"},
		{"profiles", "apiVersion: pkictl.dev/v1\nkind: Profiles\n", "is not what", "kind: Cluster"},
		{"two own", ownHead + "---\n" + ownHead, "line 4, column 1: a second document begins", "one document"},
		{"own and kubeadm's", ownHead + "---\n" + ccHead, "a second document begins", "one document"},
		{"kubeadm's and own", ccHead + "---\n" + ownHead, `"pkictl.dev/v1" of kind "Cluster" is not what`, ""},

		{"unknown field", ownHead + "san: [a]\n", `line 3, column 1: unknown field "san" in Cluster`, "did you mean sans? known: "},
		{"case of a field", ownHead + "dnsdomain: a\n", `unknown field "dnsdomain"`, "did you mean dnsDomain?"},
		{"unknown field of a node", ownHead + "nodes:\n- name: a\n  ip: b\n", `line 5, column 3: unknown field "ip" in nodes[0]`, "known: address, name"},
		{"twice", ownHead + "name: a\nname: b\n", `line 4, column 1: field "name" of Cluster is given twice`, "line 3"},
		{"twice, quoted", ownHead + "name: a\n\"name\": b\n", "given twice", "line 3"},
		{"kind twice", ownHead + "kind: Cluster\n", `field "kind" of Cluster is given twice`, "line 2"},
		{"no value", ownHead + "name:\n", "name has no value", "leave it out"},
		{"number for a text", ownHead + "name: 5\n", "line 3, column 7: name is a number, not a text", "in quotes"},
		{"boolean for a text", ownHead + "name: no\n", "name is true or false", "in quotes"},
		{"version is a number", ownHead + "kubernetesVersion: 1.36\n", "kubernetesVersion is a number, not a text", "in quotes"},
		{"text for a number", ownHead + "port: \"6443\"\n", "port is a text, not a whole number", "without quotes"},
		{"fraction", ownHead + "port: 64.5\n", "port is a number, not a whole number", "without quotes"},
		{"far too large", ownHead + "port: 99999999999999999999\n", "not a whole number", ""},
		{"text for a list", ownHead + "sans: a\n", "sans is a text, not a list", "[a, b]"},
		{"number in a list", ownHead + "sans: [a, 5]\n", "line 3, column 11: sans[1] is a number, not a text", "in quotes"},
		{"list for a mapping", ownHead + "nodes: [[a]]\n", "nodes[0] is a list, not a mapping", "name: value"},
		{"mapping for a text", ownHead + "name: {a: b}\n", "name is a mapping, not a text", ""},
		{"text for a boolean", ownHead + "externalEtcd: \"true\"\n", "externalEtcd is a text, not true or false", "without quotes"},
		{"key is a list", ownHead + "[a]: b\n", "has no plain name", ""},

		{"escapes in a field", ownHead + "\"\\e[2J\": a\n", `unknown field "\x1b[2J"`, ""},
		{"escapes in a flag", strings.Replace(ccHead, "v1beta4", "v1beta3", 1) + "scheduler: {extraArgs: {\"\\e[2J\": 5}}\n", `"scheduler.extraArgs.\x1b[2J" is a number`, ""},
		{"a field without end", ownHead + "? " + strings.Repeat("a", 1<<20) + "\n: b\n", "… (1048576 characters) in Cluster", "known: "},
		{"escapes in a kind", "apiVersion: \"a\\e\"\nkind: \"b\\u202e\"\n", `"a\x1b" of kind "b\u202e" is not what`, ""},

		{"tab", ownHead + "nodes:\n\t- name: a\n", "is not valid YAML: line 4", "tabs"},
		{"not closed", ownHead + "sans: [a\n", "is not valid YAML", "indentation and quotes"},
		{"second document broken", ccHead + "---\na: [\n", "is not valid YAML", ""},
		{"NUL", ownHead + "name: a\x00\n", "is not valid YAML", ""},
		{"alias", ownHead + "sans: &x [a]\netcdPeerSANs: *x\n", `alias "*x" is not allowed`, "write the value out"},
		{"merge key", ownHead + "<<: {name: a}\n", `unknown field "<<"`, ""},
		{"bomb", ownHead + "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", `alias "*a" is not allowed`, ""},
		{"deep", ownHead + "sans: " + strings.Repeat("[", 40) + strings.Repeat("]", 40), "more than 32 levels", ""},
		{"many", ownHead + "sans: [" + strings.Repeat("a,", 200_000) + "a]\n", "more than some 100000 values", "the file you mean"},
		{"large", ownHead + strings.Repeat("#", 4<<20), "larger than 4 MiB", "the file you mean"},

		{"kubeadm v1beta2", "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n", "kubeadm.k8s.io/v1beta2 is too old", "kubeadm config migrate --old-config FILE --new-config FILE, of kubeadm v1.22"},
		{"kubeadm v1alpha1", "apiVersion: kubeadm.k8s.io/v1alpha1\nkind: MasterConfiguration\n", "too old", "kubeadm v1.11"},
		{"kubeadm v1beta5", "apiVersion: kubeadm.k8s.io/v1beta5\nkind: ClusterConfiguration\n", `v1beta5" is not known`, "kubeadm.k8s.io/v1beta4 or v1beta3"},
		{"kubeadm without version", "apiVersion: kubeadm.k8s.io\nkind: ClusterConfiguration\n", "is not known", ""},
		{"other kind", "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ResetConfiguration\n", `kind "ResetConfiguration" is not what a cluster's PKI is made from`, "known: ClusterConfiguration"},
		{"kind misspelt", "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfigration\n", `kind "ClusterConfigration"`, "did you mean ClusterConfiguration?"},
		{"kubelet alone", "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n", "there is no document of kubeadm", "add one of kind"},
		{"two of a kind", ccHead + "---\n" + initHead + "---\n" + ccHead, "line 7, column 1: there are two documents of kind ClusterConfiguration", "line 1"},
		{"field of v1beta4", "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\nencryptionAlgorithm: RSA-2048\n", `unknown field "encryptionAlgorithm"`, "it is a field of kubeadm.k8s.io/v1beta4"},
		{"arguments of v1beta3", ccHead + "apiServer:\n  extraArgs:\n    v: \"4\"\n", "line 5, column 5: apiServer.extraArgs is a mapping, not a list", ""},
		{"unknown field below", ccHead + "apiServer:\n  certSan: [a]\n", `line 4, column 3: unknown field "certSan" in apiServer`, "did you mean certSANs?"},
		{"algorithm", ccHead + "encryptionAlgorithm: RSA-2049\n", `line 3, column 1: unknown encryptionAlgorithm "RSA-2049"`, "did you mean RSA-2048?"},
		{"Ed25519", ccHead + "encryptionAlgorithm: Ed25519\n", `unknown encryptionAlgorithm "Ed25519"`, "known: RSA-2048"},
		{"period without unit", ccHead + "certificateValidityPeriod: 24\n", "certificateValidityPeriod cannot be read", "8760h0m0s"},
		{"period of days", ccHead + "certificateValidityPeriod: 90d\n", "certificateValidityPeriod cannot be read", "8760h0m0s"},
		{"no period", ccHead + "certificateValidityPeriod: 0s\n", "certificateValidityPeriod is shorter than a second", "8760h0m0s"},
		{"negative period", ccHead + "caCertificateValidityPeriod: -1h\n", "caCertificateValidityPeriod is shorter", ""},
		{"no version", ccHead + "kubernetesVersion: foo\n", `kubernetesVersion "foo" is not a version`, "v1.36.3"},
		{"label with more", ccHead + "kubernetesVersion: stable-1.36x\n", `kubernetesVersion "stable-1.36x" is not a version`, "v1.36.3"},
		{"label of another minor", ccHead + "kubernetesVersion: stable-1.30\n", `line 3, column 1: kubernetesVersion "stable-1.30" would have to be looked up`, "like v1.30.0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := ParseSettings([]byte(test.data), "f.yaml")
			if err == nil {
				t.Fatal("accepted")
			}
			if failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), test.err) || !strings.Contains(failure.HintOf(err), test.hint) {
				t.Errorf("kind %d, %v\nhint: %s", failure.KindOf(err), err, failure.HintOf(err))
			}
			if strings.Contains(err.Error(), "\n") || failure.HintOf(err) == "" {
				t.Errorf("%v\nhint: %s", err, failure.HintOf(err))
			}
		})
	}
}
