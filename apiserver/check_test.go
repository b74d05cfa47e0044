package apiserver_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/apiserver"
)

// checkSite is a directory with manifests and the files that they name.
type checkSite struct {
	t         testing.TB
	dir       string
	manifests string
}

func newCheckSite(t testing.TB) checkSite {
	t.Helper()
	s := checkSite{t: t, dir: t.TempDir()}
	s.manifests = filepath.Join(s.dir, "manifests")
	s.must(os.MkdirAll(filepath.Join(s.dir, "etc"), 0o700))
	s.must(os.MkdirAll(s.manifests, 0o700))
	return s
}

func (s checkSite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// etc writes a file that the pods see.
func (s checkSite) etc(name, text string) {
	s.t.Helper()
	s.must(os.WriteFile(filepath.Join(s.dir, "etc", name), []byte(text), 0o600))
}

// pod writes the manifest of a component with flags, of an image's version.
func (s checkSite) pod(component, version string, flags ...string) string {
	s.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: %[1]s\nspec:\n  containers:\n  - name: %[1]s\n    image: example.com/%[1]s:%[2]s\n    command:\n    - %[1]s\n", component, version)
	for _, flag := range flags {
		fmt.Fprintf(&b, "    - %s\n", strconv.Quote(strings.ReplaceAll(flag, "ETC", filepath.Join(s.dir, "etc"))))
	}
	fmt.Fprintf(&b, "    volumeMounts:\n    - {name: etc, mountPath: %[1]s}\n  volumes:\n  - {name: etc, hostPath: {path: %[1]s}}\n", filepath.Join(s.dir, "etc"))
	path := filepath.Join(s.manifests, component+".yaml")
	s.must(os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// result makes one check.
func (s checkSite) result(path, id string) apiserver.CheckResult {
	s.t.Helper()
	report, err := apiserver.CheckManifests(apiserver.CheckOptions{Path: path, Only: []string{id}})
	s.must(err)
	if len(report.Results) != 1 {
		s.t.Fatalf("check %s has %d results", id, len(report.Results))
	}
	return report.Results[0]
}

// TestChecks: the table is in order and complete, and has all that the benchmark
// has for these files.
func TestChecks(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, c := range apiserver.Checks() {
		ids = append(ids, c.ID)
		if c.Title == "" || c.Wanted == "" || c.Component == "" {
			t.Errorf("check %s lacks something: %+v", c.ID, c)
		}
		if id, title := c.Section(); id == "" || title == "" {
			t.Errorf("check %s is in no section", c.ID)
		}
	}
	var want []string
	for _, section := range []struct {
		prefix   string
		from, to int
	}{{"1.1.", 1, 8}, {"1.2.", 1, 30}, {"1.3.", 1, 7}, {"1.4.", 1, 2}, {"2.", 1, 7}, {"3.2.", 1, 2}} {
		for n := section.from; n <= section.to; n++ {
			want = append(want, section.prefix+strconv.Itoa(n))
		}
	}
	if !slices.Equal(ids, want) {
		t.Errorf("the checks are %v", ids)
	}
}

// strong is a list of suites that the benchmark allows, an older name among them.
const strong = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"

var flagCases = []struct {
	id, flags, version string // flags with spaces between them
	want               apiserver.Status
	found              string
}{
	{"1.2.1", "", "", "fail", "not set, which is true"},
	{"1.2.1", "--anonymous-auth=false", "", "pass", "=false"},
	{"1.2.1", "--anonymous_auth=f", "", "pass", "=f"},
	{"1.2.1", "--anonymous-auth=false --anonymous-auth=true", "", "fail", "=true"},
	{"1.2.1", "--anonymous-auth=true --anonymous-auth=false", "", "pass", "=false"},
	{"1.2.1", "--anonymous-auth", "", "fail", "=true"},
	{"1.2.1", "--authentication-config=ETC/probes.yaml", "", "pass", "anonymous at /livez, /readyz alone"},
	{"1.2.1", "--authentication-config=ETC/api.yaml", "", "fail", "anonymous at /api"},
	{"1.2.1", "--authentication-config=ETC/all.yaml", "", "fail", "without conditions"},
	{"1.2.1", "--authentication-config=ETC/off.yaml", "", "pass", "enabled: false"},
	{"1.2.1", "--authentication-config=ETC/yes.yaml", "", "fail", "without conditions"}, // YAML 1.1
	{"1.2.1", "--authentication-config=ETC/jwt.yaml", "", "fail", "not set, which is true"},
	{"1.2.1", "--authentication-config=ETC/jwt.yaml --anonymous-auth=false", "", "pass", "=false"},
	{"1.2.1", "--authentication-config=ETC/gone.yaml", "", "fail", "cannot read"},
	{"1.2.1", "--authentication-config=/elsewhere.yaml", "", "fail", "in the container alone"},
	{"1.2.1", "--authorization-mode=AlwaysAllow", "", "pass", "AlwaysAllow turns them off"},
	{"1.2.2", "", "", "pass", "not set"},
	{"1.2.2", "--token-auth-file=/tokens.csv", "", "fail", "/tokens.csv"},
	{"1.2.3", "", "", "warn", "not enabled"},
	{"1.2.3", "--enable-admission-plugins=NodeRestriction,DenyServiceExternalIPs", "", "pass", ""},
	{"1.2.4", "--kubelet-client-certificate=/a", "", "fail", "--kubelet-client-key is not set"},
	{"1.2.4", "", "", "fail", "are not set"},
	{"1.2.4", "--kubelet-client-certificate /a --kubelet-client-key /b", "", "pass", "/a, /b"},
	{"1.2.5", "", "", "fail", "is not set"},
	{"1.2.5", "--kubelet-certificate-authority=/ca", "", "pass", "/ca"},
	{"1.2.6", "", "", "fail", "not set, which is AlwaysAllow"},
	{"1.2.6", "--authorization-mode=Node,AlwaysAllow", "", "fail", "AlwaysAllow"},
	{"1.2.6", "--authorization-mode=Node --authorization-mode=AlwaysAllow", "", "fail", "Node,AlwaysAllow"},
	{"1.2.6", "--authorization-mode=Node,RBAC", "", "pass", "Node,RBAC"},
	{"1.2.6", "--authorization-config=ETC/authz.yaml", "", "pass", "Node,Webhook,RBAC"},
	{"1.2.7", "--authorization-mode=RBAC", "", "fail", "RBAC"},
	{"1.2.7", "--authorization-mode=RBAC --authorization-mode=Node", "", "pass", "RBAC,Node"},
	{"1.2.7", "--authorization-config=ETC/authz.yaml", "", "pass", "Node"},
	{"1.2.8", "--authorization-mode=Node", "", "fail", "Node"},
	{"1.2.8", "--authorization-config=ETC/authz.yaml", "", "pass", "RBAC"},
	{"1.2.8", "--authorization-config=ETC/tabs.yaml", "", "fail", "not valid YAML"},
	{"1.2.9", "--enable-admission-plugins=EventRateLimit", "", "pass", ""},
	{"1.2.10", "--enable-admission-plugins=AlwaysAdmit", "", "fail", "AlwaysAdmit"},
	{"1.2.10", "", "", "pass", ""},
	{"1.2.11", "", "", "warn", ""},
	{"1.2.12", "", "", "pass", "by default"},
	{"1.2.12", "--disable-admission-plugins=ServiceAccount", "", "fail", ""},
	{"1.2.13", "--disable-admission-plugins=LimitRanger,NamespaceLifecycle", "", "fail", ""},
	{"1.2.14", "", "", "fail", ""},
	{"1.2.14", "--enable-admission-plugins=NodeRestriction --enable-admission-plugins=PodSecurity", "", "pass", ""},
	{"1.2.14", "--enable-admission-plugins=NodeRestriction --disable-admission-plugins=NodeRestriction", "", "fail", ""},
	{"1.2.15", "", "", "fail", "not set, which is true"},
	{"1.2.15", "--profiling=false", "", "pass", ""},
	{"1.2.15", "--profiling=0", "", "pass", ""},
	{"1.2.15", "--profiling false", "", "fail", "=true"}, // pflag takes no word behind such a flag
	{"1.2.15", "--profiling=off", "", "fail", "neither true nor false"},
	{"1.2.16", "", "", "fail", "not set"},
	{"1.2.16", "--audit-log-path=ETC/audit.log", "", "pass", "audit.log"},
	{"1.2.16", "--audit-log-path=/var/log/audit.log", "", "fail", "in the container alone"},
	{"1.2.16", "--audit-log-path=-", "", "pass", "standard output"},
	{"1.2.16", "--audit-webhook-config-file=ETC/hook.conf", "", "fail", "webhook alone"},
	{"1.2.17", "--audit-log-maxage=30", "", "fail", "there is no audit log"},
	{"1.2.17", "--audit-log-path=ETC/audit.log --audit-log-maxage=30", "", "pass", "30"},
	{"1.2.17", "--audit-log-path=ETC/audit.log --audit-log-maxage=29", "", "fail", "29"},
	{"1.2.17", "--audit-log-path=ETC/audit.log --audit-log-maxage=0", "", "fail", "no limit but the disk"},
	{"1.2.17", "--audit-log-path=ETC/audit.log", "v1.35.2", "fail", "0, no limit but the disk before 1.36"},
	{"1.2.17", "--audit-log-path=ETC/audit.log", "v1.36.3", "pass", "366 since 1.36"},
	{"1.2.17", "--audit-log-path=ETC/audit.log", "latest", "fail", "no version is known"},
	{"1.2.17", "--audit-log-path=-", "", "unknown", "standard output"},
	{"1.2.18", "--audit-log-path=ETC/audit.log --audit-log-maxbackup=10", "", "pass", ""},
	{"1.2.18", "--audit-log-path=ETC/audit.log --audit-log-maxbackup=ten", "", "fail", "no number"},
	{"1.2.18", "--audit-log-path=ETC/audit.log", "v1.34.0", "fail", ""},
	{"1.2.19", "--audit-log-path=ETC/audit.log", "v1.34.0", "pass", "100 before 1.36"},
	{"1.2.19", "--audit-log-path=ETC/audit.log --audit-log-maxsize=99", "", "fail", "99"},
	{"1.2.20", "", "", "pass", "1m0s"},
	{"1.2.20", "--request-timeout=1h", "", "warn", "1h"},
	{"1.2.20", "--request-timeout=0s", "", "warn", "0s"},
	{"1.2.21", "", "", "pass", "not set, which is true"},
	{"1.2.21", "--service-account-lookup=false", "", "fail", ""},
	{"1.2.22", "--service-account-key-file=/sa.pub", "", "pass", ""},
	{"1.2.23", "--etcd-certfile=/c", "", "fail", "--etcd-keyfile is not set"},
	{"1.2.24", "--tls-cert-file=/c --tls-private-key-file=/k", "", "pass", ""},
	{"1.2.25", "", "", "fail", ""},
	{"1.2.26", "--etcd-cafile=/ca", "", "pass", ""},
	{"1.2.27", "--encryption-provider-config=ETC/aescbc.yaml", "", "pass", ""},
	{"1.2.28", "", "", "fail", "no encryption configuration"},
	{"1.2.28", "--encryption-provider-config=ETC/aescbc.yaml", "", "pass", "aescbc"},
	{"1.2.28", "--encryption-provider-config=ETC/all-kms.yaml", "", "pass", "kms"},
	{"1.2.28", "--encryption-provider-config=ETC/identity.yaml", "", "fail", "identity first"},
	{"1.2.28", "--encryption-provider-config=ETC/aesgcm.yaml", "", "fail", "aesgcm first"},
	{"1.2.28", "--encryption-provider-config=ETC/configmaps.yaml", "", "fail", "nothing for secrets"},
	{"1.2.28", "--encryption-provider-config=ETC/gone.yaml", "", "fail", "cannot read"},
	{"1.2.29", "", "", "fail", "CBC"},
	{"1.2.29", "--tls-cipher-suites=" + strong, "", "pass", "2 suites"},
	{"1.2.29", "--tls-cipher-suites=" + strong + " --tls-cipher-suites=TLS_RSA_WITH_AES_128_CBC_SHA", "", "fail", "it has TLS_RSA_WITH_AES_128_CBC_SHA"},
	{"1.2.29", "--tls-min-version=VersionTLS13", "", "pass", "TLS 1.3"},
	{"1.2.30", "", "", "fail", "not set, which is true"},
	{"1.2.30", "--service-account-extend-token-expiration=false", "", "pass", ""},
	{"3.2.1", "", "", "fail", "no policy"},
	{"3.2.1", "--audit-policy-file=ETC/policy.yaml", "", "pass", "1 rule"},
	{"3.2.1", "--audit-policy-file=ETC/empty.yaml", "", "fail", "empty"},
	{"3.2.1", "--audit-policy-file=ETC/tabs.yaml", "", "fail", "not valid YAML"},
}

var checkFiles = map[string]string{
	"probes.yaml":     "anonymous:\n  enabled: true\n  conditions:\n  - path: /livez\n  - path: /readyz\n",
	"api.yaml":        "anonymous:\n  enabled: true\n  conditions: [{path: /livez}, {path: /api}]\n",
	"all.yaml":        "anonymous: {enabled: true}\n",
	"off.yaml":        "anonymous: {enabled: false}\n",
	"yes.yaml":        "anonymous: {enabled: yes}\n",
	"jwt.yaml":        "jwt: []\n",
	"authz.yaml":      "authorizers: [{type: Node, name: node}, {type: Webhook, name: w}, {type: RBAC, name: rbac}]\n",
	"tabs.yaml":       "authorizers:\n\t- type: Node\n",
	"empty.yaml":      "",
	"policy.yaml":     "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n",
	"aescbc.yaml":     "resources:\n- resources: [configmaps]\n  providers: [{identity: {}}]\n- resources: [secrets]\n  providers:\n  - aescbc: {keys: [{name: a, secret: c2VjcmV0LW9mLXRoZS1rZXktMzItYnl0ZXMtbG9uZyE=}]}\n  - identity: {}\n",
	"all-kms.yaml":    "resources: [{resources: ['*.'], providers: [{kms: {name: k}}]}]\n",
	"identity.yaml":   "resources: [{resources: [secrets], providers: [{identity: {}}, {aescbc: {}}]}]\n",
	"aesgcm.yaml":     "resources: [{resources: [secrets], providers: [{aesgcm: {}}]}]\n",
	"configmaps.yaml": "resources: [{resources: [configmaps], providers: [{secretbox: {}}]}]\n",
}

func TestFlagChecks(t *testing.T) {
	t.Parallel()
	for _, test := range flagCases {
		t.Run(test.id+" "+test.flags+test.version, func(t *testing.T) {
			t.Parallel()
			s := newCheckSite(t)
			for name, text := range checkFiles {
				s.etc(name, text)
			}
			flags := strings.Fields(test.flags)
			if test.id == "1.2.1" && !strings.Contains(test.flags, "--authorization-mode") {
				flags = append(flags, "--authorization-mode=Node,RBAC")
			}
			path := s.pod("kube-apiserver", cmp.Or(test.version, "v1.34.1"), flags...)
			r := s.result(path, test.id)
			if r.Status != test.want || !strings.Contains(r.Found, test.found) {
				t.Errorf("%s: %s, want %s: %s", r.Status, r.Found, test.want, test.found)
			}
			if hasFix := r.Fix != nil && (r.Fix.Command != "" || r.Fix.Hint != ""); hasFix != (r.Status == "fail" || r.Status == "warn") {
				t.Errorf("%s has the fix %+v", r.Status, r.Fix)
			}
			if strings.Contains(fmt.Sprintf("%+v", r), "c2VjcmV0") {
				t.Error("a key is shown")
			}
		})
	}
}

// TestFlagChecksCover: each check of kube-apiserver's flags passes somewhere in
// the cases above, or fails somewhere; most do both.
func TestFlagChecksCover(t *testing.T) {
	t.Parallel()
	for _, c := range apiserver.Checks() {
		if section, _ := c.Section(); section == "1.2" && !slices.ContainsFunc(flagCases, func(f struct {
			id, flags, version string
			want               apiserver.Status
			found              string
		}) bool {
			return f.id == c.ID
		}) {
			t.Errorf("check %s has no case", c.ID)
		}
	}
}

func TestChecksBeside(t *testing.T) {
	t.Parallel()
	const manager, scheduler, etcd = "kube-controller-manager", "kube-scheduler", "etcd"
	for _, test := range []struct {
		id, component, flags string
		want                 apiserver.Status
		found                string
	}{
		{"1.1.1", "kube-apiserver", "", "pass", "0600"},
		{"1.3.1", manager, "", "warn", "is not set"},
		{"1.3.1", manager, "--terminated-pod-gc-threshold=10", "pass", "10"},
		{"1.3.2", manager, "--profiling=false", "pass", ""},
		{"1.3.3", manager, "", "fail", "not set, which is false"},
		{"1.3.3", manager, "--use-service-account-credentials", "pass", ""},
		{"1.3.4", manager, "--service-account-private-key-file /sa.key", "pass", "/sa.key"},
		{"1.3.5", manager, "", "fail", ""},
		{"1.3.6", manager, "", "pass", "by default"},
		{"1.3.6", manager, "--feature-gates=A=true,RotateKubeletServerCertificate=false", "fail", "false"},
		{"1.3.7", manager, "", "fail", "0.0.0.0"},
		{"1.3.7", manager, "--bind-address=127.0.0.1", "pass", ""},
		{"1.4.1", scheduler, "--profiling=true", "fail", ""},
		{"1.4.1", scheduler, "--profiling=false --config=ETC/sched.yaml", "fail", "of no effect"},
		{"1.4.1", scheduler, "--profiling=false --config=ETC/sched-on.yaml", "fail", "of no effect"},
		{"1.4.1", scheduler, "--config=ETC/sched-off.yaml", "pass", "enableProfiling: false"},
		{"2.2", etcd, "--client-cert-auth=true --config-file=/etcd.yaml", "unknown", "no flags beside --config-file"},
		{"1.4.2", scheduler, "--bind-address=::", "fail", "::"},
		{"2.1", etcd, "--cert-file=/a", "fail", "--key-file is not set"},
		{"2.2", etcd, "--client-cert-auth=true", "pass", ""},
		{"2.2", etcd, "--client-cert-auth", "pass", ""},
		{"2.2", etcd, "", "fail", "not set, which is false"},
		{"2.3", etcd, "", "pass", ""},
		{"2.3", etcd, "--auto-tls=true", "fail", ""},
		{"2.4", etcd, "--peer-cert-file=/a --peer-key-file=/b", "pass", ""},
		{"2.5", etcd, "--peer-client-cert-auth=false", "fail", ""},
		{"2.6", etcd, "--peer-auto-tls", "fail", ""},
		{"2.7", etcd, "--trusted-ca-file=ETC/ca.crt", "fail", "takes its clients' certificates from"},
		{"2.7", etcd, "--trusted-ca-file=ETC/etcd-ca.crt", "pass", "etcd-ca.crt"},
	} {
		t.Run(test.id+" "+test.flags, func(t *testing.T) {
			t.Parallel()
			s := newCheckSite(t)
			s.pod("kube-apiserver", "v1.34.1", "--client-ca-file=ETC/ca.crt")
			s.etc("sched.yaml", "kind: KubeSchedulerConfiguration\n")
			s.etc("sched-on.yaml", "enableProfiling: true\n")
			s.etc("sched-off.yaml", "enableProfiling: off\n") // YAML 1.1
			if test.component != "kube-apiserver" {
				s.pod(test.component, "v1.34.1", strings.Fields(test.flags)...)
			}
			r := s.result(s.manifests, test.id)
			if r.Status != test.want || !strings.Contains(r.Found, test.found) {
				t.Errorf("%s: %s, want %s: %s", r.Status, r.Found, test.want, test.found)
			}
			if flag, _, _ := strings.Cut(test.flags, "="); r.Status == "fail" && strings.Contains(test.flags, "=") && !strings.Contains(test.flags, " ") && r.Line != 11 && test.id != "2.1" {
				t.Errorf("%s is said to be in line %d", flag, r.Line)
			}
		})
	}
}

// TestProbesWithoutAnonymous: what the benchmark wants has kubeadm's probes fail.
func TestProbesWithoutAnonymous(t *testing.T) {
	t.Parallel()
	s := newCheckSite(t)
	path := s.pod("kube-apiserver", "v1.34.1", "--anonymous-auth=false")
	data, err := os.ReadFile(path)
	s.must(err)
	s.must(os.WriteFile(path, []byte(strings.Replace(string(data), "    volumeMounts:\n", "    livenessProbe: {httpGet: {path: /livez, port: 6443, scheme: HTTPS}}\n    volumeMounts:\n", 1)), 0o600))
	if r := s.result(path, "1.2.1"); r.Status != "pass" || !strings.Contains(r.Note, "asks /livez without a credential") {
		t.Errorf("%s with the note %q", r.Status, r.Note)
	}
}

// TestBrokenPolicyIsNotMended: to name a policy that is not accepted once more
// mends nothing, and is not called so.
func TestBrokenPolicyIsNotMended(t *testing.T) {
	t.Parallel()
	s := newCheckSite(t)
	s.etc("policy.yaml", "kind: [")
	path := s.pod("kube-apiserver", "v1.36.3", "--audit-policy-file=ETC/policy.yaml", "--profiling=true")
	report, err := apiserver.CheckManifests(apiserver.CheckOptions{Path: path, Only: []string{"1.2.15", "3.2"}})
	s.must(err)
	fixes, err := report.Fixes(nil)
	s.must(err)
	if want := []string{"1.2.15"}; !slices.Equal(fixes.Patched, want) || !slices.Equal(fixes.Left, []string{"3.2.1", "3.2.2"}) {
		t.Errorf("mended would be %v, left %v", fixes.Patched, fixes.Left)
	}
	if mended := fixes.Mended(report); mended != nil {
		t.Errorf("nothing was done, and %v are called mended", mended)
	}
}

// TestFixAuditTogether: the limits of a log are mended with its policy.
func TestFixAuditTogether(t *testing.T) {
	t.Parallel()
	s := newCheckSite(t)
	path := s.pod("kube-apiserver", "v1.36.3", "--audit-log-path=ETC/audit.log", "--audit-log-maxage=5", "--audit-log-maxsize=500")
	report, err := apiserver.CheckManifests(apiserver.CheckOptions{Path: path, Only: []string{"1.2.17", "1.2.18", "1.2.19", "3.2"}})
	s.must(err)
	fixes, err := report.Fixes(nil)
	s.must(err)
	plan, err := apiserver.NewPlan(fixes.Options)
	s.must(err)
	for _, want := range []string{"--audit-log-maxage=30", "--audit-log-maxsize=500"} {
		if !slices.ContainsFunc(plan.Set, func(f apiserver.Flag) bool { return f.String() == want }) {
			t.Errorf("%v has no %s", plan.Set, want)
		}
	}
}
