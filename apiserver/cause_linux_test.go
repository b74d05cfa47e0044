package apiserver

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/staticpod"
)

// faulty is a directory with what a real kube-apiserver needs to get as far as
// its own faults: it ends before it needs etcd.
type faulty struct{ dir string }

func newFaulty(t *testing.T) *faulty {
	t.Helper()
	f := &faulty{t.TempDir()}
	pki := f.path("pki")
	if _, err := ca.Init(t.Context(), ca.InitOptions{Dir: pki, CommonName: "kubernetes", Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"apiserver", "other"} {
		o := ca.IssueOptions{Dir: pki, Out: filepath.Join(pki, name), CommonName: name, Profile: ca.ProfileServer, DNS: []string{name}, Now: time.Now()}
		if _, err := ca.Issue(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	const policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"
	const encryption = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources: [{resources: [secrets], providers: [%s]}]\n"
	const anonymous = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\nanonymous: {enabled: true, conditions: [{%s: /livez}]}\n"
	for name, text := range map[string]string{
		"policy.yaml": policy, "level.yaml": strings.Replace(policy, "Metadata", "Metdata", 1), "empty.yaml": "",
		"norules.yaml": strings.Replace(policy, "[{level: Metadata}]", "[]", 1), "beta.yaml": strings.Replace(policy, "io/v1", "io/v1beta1", 1),
		"tab.yaml":   strings.Replace(policy, "rules: ", "rules:\n\t", 1),
		"short.yaml": fmt.Sprintf(encryption, "{aescbc: {keys: [{name: k, secret: c2hvcnQ=}]}}"),
		"raw.yaml":   fmt.Sprintf(encryption, "{aescbc: {keys: [{name: k, secret: '%'}]}}"),
		"aesx.yaml":  fmt.Sprintf(encryption, "{aesx: {}}"), "nothing.yaml": "kind: Nothing\n",
		"authn.yaml": fmt.Sprintf(anonymous, "path"), "badauthn.yaml": fmt.Sprintf(anonymous, "pth"),
	} {
		if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *faulty) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// run runs kube-apiserver until it ends, and returns what it said.
func (f *faulty) run(t *testing.T, address string, flags []string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join("..", "tools", "bin", "kube-apiserver"), append([]string{
		"--etcd-servers=http://127.0.0.1:1", "--bind-address=" + address, "--advertise-address=10.0.0.10",
		"--client-ca-file=" + f.path("pki/ca.crt"), "--tls-cert-file=" + f.path("pki/apiserver.crt"), "--tls-private-key-file=" + f.path("pki/apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + f.path("pki/apiserver.crt"),
		"--service-account-signing-key-file=" + f.path("pki/apiserver.key"), "--service-cluster-ip-range=10.96.0.0/12", "--endpoint-reconciler-type=none",
	}, flags...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err == nil || ctx.Err() != nil {
		t.Errorf("%v", err)
	}
	return out.String()
}

// TestCause has a real kube-apiserver end with each fault, and reads the cause off
// what it says.
func TestCause(t *testing.T) {
	t.Parallel()
	f := newFaulty(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct{ flags, found string }{
		{"--no-such=1", "this version does not know a flag: unknown flag: --no-such"},
		{"-x", "this version does not know a flag: unknown shorthand flag"},
		{"--profiling=maybe", `a flag has a wrong value: invalid argument "maybe" for "--profiling" flag`},
		{"--audit-policy-file=@/level.yaml --audit-log-path=-", `the audit policy is not accepted: loading audit policy file: rules[0].level: Unsupported value: "Metdata"`},
		{"--audit-policy-file=@/norules.yaml --audit-log-path=-", "the audit policy is not accepted: loading audit policy file: loaded illegal policy with 0 rules"},
		{"--audit-policy-file=@/beta.yaml --audit-log-path=-", "the audit policy is not accepted: "},
		{"--audit-policy-file=@/tab.yaml --audit-log-path=-", "the audit policy is not accepted: "},
		{"--audit-policy-file=@/empty.yaml --audit-log-path=-", "the audit policy is not accepted: "},
		{"--audit-policy-file=/none.yaml --audit-log-path=-", `the container does not see "/none.yaml", for no volume mounts it: `},
		{"--audit-policy-file=@/none.yaml --audit-log-path=-", `@/none.yaml" is not on this host: `},
		{"--audit-policy-file=@ --audit-log-path=-", `@" is a directory: `},
		{"--audit-policy-file=@/policy.yaml --audit-log-path=@", `@" is a directory: ensureLogFile: `},
		{"--audit-policy-file=@/policy.yaml --audit-log-path=/proc/none/a.log", `the container does not see "/proc/none"`},
		{"--audit-policy-file=@/policy.yaml --audit-log-path=- --audit-log-format=xml", "a flag of the audit log has a wrong value: "},
		{"--audit-policy-file=@/policy.yaml --audit-log-path=- --audit-log-maxage=-1", "a flag for audit has a wrong value: "},
		{"--audit-policy-file=@/policy.yaml --audit-webhook-config-file=@/policy.yaml", "the audit webhook's configuration is not accepted: "},
		{"--encryption-provider-config=@/short.yaml", "the encryption configuration has a key of a wrong length: "},
		{"--encryption-provider-config=@/raw.yaml", "the encryption configuration has a key that is not base64: "},
		{"--encryption-provider-config=@/aesx.yaml", "the encryption configuration is not accepted: "},
		{"--encryption-provider-config=@/nothing.yaml", `the encryption configuration is not accepted: error while parsing file: error decoding encryption provider configuration file "@/nothing.yaml": Object 'apiVersion' is missing`},
		{"--enable-admission-plugins=NoSuch", `the admission plugins are not accepted: enable-admission-plugins plugin "NoSuch" is unknown`},
		{"--tls-private-key-file=@/pki/other.key", "a certificate and its key do not fit: "},
		{"--tls-cert-file=@/policy.yaml", "a certificate or key is none: "},
		{"--client-ca-file=@/policy.yaml", "a CA file has no certificate: "},
		{"--service-account-signing-key-file=@/policy.yaml", "a flag for service account tokens is not accepted: "},
		{"--service-account-issuer=", "a flag for service account tokens is not accepted: "},
		{"--authentication-config=@/authn.yaml --anonymous-auth=false", "the authentication configuration and a flag contradict each other: "},
		{"--authentication-config=@/badauthn.yaml", "the authentication configuration is not accepted: "},
		{"--authorization-mode=RBACC", "the authorization is not accepted: "},
		{"--authorization-mode=RBAC --authorization-config=@/authn.yaml", "flags contradict each other: "},
		{"--authorization-config=@/authn.yaml", "the authorization configuration is not accepted: "},
		{"--bind-address=192.0.2.1", "it cannot listen where it is told to: "},
		{"--secure-port=99999", "the port is none: "},
		{"--bind-address=127.0.0.1 --secure-port=" + port, "another process has the port: "},
		{"--feature-gates=NoSuch=true", "this version does not know a feature gate: "},
		{"--runtime-config=nosuch/v1=true", "this version does not know an API group: "},
		{"--tls-cipher-suites=NONE", "a cipher suite is not known: "},
		{"--tls-min-version=VersionTLS99", "a version of TLS is not known: "},
		{"--service-cluster-ip-range=10.96.0.0", "a range of addresses is none: "},
		{"", "etcd does not answer: "},
	} {
		t.Run(tt.flags, func(t *testing.T) {
			t.Parallel()
			flags := strings.Fields(strings.ReplaceAll(tt.flags, "@", f.dir))
			log := f.run(t, fmt.Sprintf("127.%d.%d.%d", os.Getpid()>>8&0xff, os.Getpid()&0xff, i+1), flags)
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
				t.Fatal(err)
			}
			manifest := fmt.Sprintf("kind: Pod\nspec:\n  containers: [{name: kube-apiserver, volumeMounts: [{name: dir, mountPath: %[1]q}]}]\n  volumes: [{name: dir, hostPath: {path: %[1]q}}]\n", f.dir)
			c, err := component("m.yaml", []byte(manifest))
			if err != nil {
				t.Fatal(err)
			}
			cause := causeOfLog(staticpod.Tail(path), c)
			isTransient := strings.HasPrefix(tt.found, "etcd") || strings.HasPrefix(tt.found, "another process")
			if want := strings.ReplaceAll(tt.found, "@", f.dir); cause == nil || !strings.Contains(cause.Found, want) || cause.Hint == "" || cause.Final == isTransient {
				t.Errorf("got %+v, want %q\n%s", cause, want, log)
			}
		})
	}
}
