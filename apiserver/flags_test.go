package apiserver

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

// flagsAndVolumes shows a plan in a few lines.
func flagsAndVolumes(p *Plan) string {
	var lines []string
	for _, f := range p.Set {
		sign := ""
		if f.Add {
			sign = "+"
		}
		lines = append(lines, sign+f.Name+"="+f.Value)
	}
	for _, name := range p.Remove {
		lines = append(lines, "-"+name)
	}
	for _, v := range p.Volumes {
		mode := "rw"
		if v.ReadOnly {
			mode = "ro"
		}
		lines = append(lines, "volume "+v.Name+" "+v.Path+" "+string(v.Type)+" "+mode)
	}
	for _, f := range p.Files {
		what := "needed"
		switch {
		case f.Dir:
			what = "directory"
		case f.Data != nil:
			what = "made"
		}
		lines = append(lines, what+" "+f.Path)
	}
	return strings.Join(lines, "\n")
}

func TestNewPlan(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		o    Options
		want string
	}{
		{"nothing", Options{}, ""},
		{"audit of what is there", Options{Audit: AuditOptions{PolicyFile: "/etc/kubernetes/policy.yaml", MaxAge: 7}}, `audit-policy-file=/etc/kubernetes/policy.yaml
audit-log-path=/var/log/kubernetes/audit/audit.log
audit-log-maxage=7
audit-log-maxbackup=10
audit-log-maxsize=100
volume audit-policy /etc/kubernetes/policy.yaml File ro
volume audit-log /var/log/kubernetes/audit DirectoryOrCreate rw
needed /etc/kubernetes/policy.yaml
directory /var/log/kubernetes/audit`},
		{"policy and log in one directory", Options{Audit: AuditOptions{PolicyFile: "/srv/audit/policy.yaml", LogPath: "/srv/audit/log"}}, `audit-policy-file=/srv/audit/policy.yaml
audit-log-path=/srv/audit/log
audit-log-maxage=30
audit-log-maxbackup=10
audit-log-maxsize=100
volume audit-log /srv/audit DirectoryOrCreate rw
needed /srv/audit/policy.yaml
directory /srv/audit`},
		{"audit to standard output and a webhook", Options{Audit: AuditOptions{Preset: "exam", LogPath: "-", WebhookConfig: "/etc/kubernetes/sink.conf", WebhookMode: "blocking"}}, `audit-policy-file=/etc/kubernetes/apiserver/audit-policy.yaml
audit-log-path=-
audit-webhook-config-file=/etc/kubernetes/sink.conf
audit-webhook-mode=blocking
volume kube-apiserver-config /etc/kubernetes/apiserver Directory ro
volume audit-webhook-config /etc/kubernetes/sink.conf File ro
made /etc/kubernetes/apiserver/audit-policy.yaml
needed /etc/kubernetes/sink.conf`},
		{"KMS", Options{Dir: "/opt/k8s", Encryption: EncryptionOptions{Resources: []string{"*.*"}, KMSEndpoint: "unix:///run/kms/kms.sock"}}, `encryption-provider-config=/opt/k8s/encryption-config.yaml
volume kms-endpoint /run/kms DirectoryOrCreate rw
volume kube-apiserver-config /opt/k8s Directory ro
made /opt/k8s/encryption-config.yaml`},
		{"what is read again comes with its directory", Options{ClientCA: "/srv/tls/ca.crt", TLS: TLSOptions{CertFile: "/srv/tls/a.crt", KeyFile: "/root/a.key", MinVersion: "VersionTLS13"}}, `tls-cert-file=/srv/tls/a.crt
tls-private-key-file=/root/a.key
tls-min-version=VersionTLS13
client-ca-file=/srv/tls/ca.crt
volume srv-tls /srv/tls Directory ro
volume tls-private-key /root/a.key File ro`},
		{"admission", Options{Admission: AdmissionOptions{Enable: []string{"NodeRestriction", "NodeRestriction"}, Disable: []string{"DefaultStorageClass"}, PodSecurity: "restricted"}}, `admission-control-config-file=/etc/kubernetes/apiserver/admission-config.yaml
+enable-admission-plugins=NodeRestriction
+disable-admission-plugins=DefaultStorageClass
volume kube-apiserver-config /etc/kubernetes/apiserver Directory ro
made /etc/kubernetes/apiserver/admission-config.yaml`},
		{"anonymous nowhere", Options{Authentication: AuthenticationOptions{Anonymous: []string{"none"}}}, "anonymous-auth=false"},
		{"order alone", Options{Authorization: AuthorizationOptions{Order: []string{"RBAC", "Node"}}}, "authorization-mode=RBAC,Node\n-authorization-config"},
		{"order with a webhook", Options{Authorization: AuthorizationOptions{Order: []string{"Node", "RBAC", "Webhook"}, WebhookConfig: "/srv/hook.conf"}}, `authorization-config=/etc/kubernetes/apiserver/authorization-config.yaml
-authorization-mode
-authorization-webhook-cache-authorized-ttl
-authorization-webhook-cache-unauthorized-ttl
-authorization-webhook-config-file
-authorization-webhook-version
volume authorization-webhook-config /srv/hook.conf File ro
volume kube-apiserver-config /etc/kubernetes/apiserver Directory ro
needed /srv/hook.conf
made /etc/kubernetes/apiserver/authorization-config.yaml`},
		{"one by one", Options{Set: []string{"event-ttl=2h", "--token-auth-file=/srv/a b.csv", "tls-sni-cert-key=/srv/x/a.crt,/srv/x/a.key:a.example.com"}, Remove: []string{"--profiling", "event-ttl"}}, `event-ttl=2h
token-auth-file=/srv/a b.csv
tls-sni-cert-key=/srv/x/a.crt,/srv/x/a.key:a.example.com
-profiling
volume token-auth /srv/a b.csv File ro
volume tls-sni-cert-key-2 /srv/x Directory ro`},
	} {
		p, err := NewPlan(test.o)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		want := strings.Replace(test.want, "tls-sni-cert-key-2", "srv-x", 1)
		if got := flagsAndVolumes(p); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, want)
		}
	}
}

// TestHardenedPlan: each row of the benchmark that kubeadm leaves out is there, in
// every version.
func TestHardenedPlan(t *testing.T) {
	t.Parallel()
	for minor := oldestKnown.Minor; minor <= newestKnown.Minor; minor++ {
		v := Version{1, minor}
		p, err := NewPlan(Options{Version: v.String(), Hardened: true, Kubelet: KubeletOptions{CA: "/etc/kubernetes/pki/ca.crt"}})
		if err != nil {
			t.Errorf("%s: %v", v, err)
			continue
		}
		got := flagsAndVolumes(p)
		for _, want := range []string{"kubelet-certificate-authority=/etc", "+enable-admission-plugins=NodeRestriction", "profiling=false", "audit-policy-file=", "audit-log-path=/", "audit-log-maxage=30",
			"audit-log-maxbackup=10", "audit-log-maxsize=100", "service-account-lookup=true", "encryption-provider-config=", "tls-cipher-suites=TLS_", "service-account-extend-token-expiration=false"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %s in\n%s", v, want, got)
			}
		}
		if conditions := strings.Contains(got, "authentication-config="); conditions != v.AtLeast(anonymousPathsSince) {
			t.Errorf("%s: anonymous paths %t", v, conditions)
		}
	}
}

// TestPlanJSON: no key is in what is printed.
func TestPlanJSON(t *testing.T) {
	t.Parallel()
	p, err := NewPlan(Options{Encryption: EncryptionOptions{Resources: []string{"secrets"}}})
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(p.Files[0].Data), "secret: ")
	key, _, _ := strings.Cut(rest, "\n")
	if len(key) != 44 {
		t.Fatalf("the key is %d characters long", len(key))
	}
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{string(data), p.Text(), p.Explain("x"), strings.Join(p.Notes, "\n")}
	for _, form := range Forms() {
		text, err := p.Render(form, nil)
		if err != nil {
			t.Error(err)
		}
		shown = append(shown, string(text))
	}
	for _, text := range shown {
		if strings.Contains(text, key) {
			t.Errorf("the key is in\n%s", text)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	hook := AuthorizationOptions{Order: []string{"RBAC", "Webhook"}, WebhookConfig: "/a"}
	onError := hook
	onError.WebhookOnError = "Maybe"
	for _, test := range []struct {
		o          Options
		says, hint string
	}{
		{Options{Version: "1.2"}, "are not known", "1.30 to 1.36"},
		{Options{Dir: "etc"}, "not an absolute path", "on the host"},
		{Options{Dir: "/"}, "shortest form", "on the host"},
		{Options{Audit: AuditOptions{MaxAge: 1}}, "are for an audit log", "--audit-log-path"},
		{Options{Audit: AuditOptions{Preset: "exam", MaxAge: -1}}, "less than nothing", "30"},
		{Options{Audit: AuditOptions{Preset: "exams"}}, "exams", "exam"},
		{Options{Audit: AuditOptions{PolicyFile: "../a"}}, "not an absolute path", "host"},
		{Options{Audit: AuditOptions{PolicyFile: "/a/../b"}}, "shortest form", "host"},
		{Options{Audit: AuditOptions{PolicyFile: "/a\nb"}}, "control character", "host"},
		{Options{Audit: AuditOptions{Preset: "exam", LogPath: "/etc/audit.log"}}, "all of /etc", "directory of its own, like /etc/kube-apiserver/audit.log"},
		{Options{Audit: AuditOptions{Policy: Contents{"p", []byte("a: b")}}}, `"p"`, "apiVersion: audit.k8s.io/v1"},
		{Options{Audit: AuditOptions{Policy: Contents{"p", []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  namespace: [a]\n")}}}, `"p", line 5, column 3: a rule has no field "namespace"`, "namespaces"},
		{Options{Audit: AuditOptions{Preset: "cis", Policy: Contents{"p", []byte("a: b")}}}, "two policies", "one"},
		{Options{Audit: AuditOptions{WebhookMode: "batch"}}, "are for an audit webhook", "--audit-webhook-config-file"},
		{Options{Audit: AuditOptions{WebhookConfig: "/a", WebhookMode: "x"}}, "unknown mode", "blocking"},
		{Options{Audit: AuditOptions{WebhookConfig: "/a", WebhookMode: "blocking", WebhookBatchMaxSize: 1}}, "makes no sense", "batch"},
		{Options{Audit: AuditOptions{WebhookConfig: "/a", WebhookBatchMaxSize: -1}}, "less than one", "400"},
		{Options{Audit: AuditOptions{WebhookConfig: "/a", WebhookBatchMaxWait: "5"}}, "not a time", "5s"},
		{Options{Encryption: EncryptionOptions{Provider: "aescbc"}}, "that is made", "--encrypt"},
		{Options{Encryption: EncryptionOptions{Reload: true}}, "no encryption configuration", "--encrypt"},
		{Options{Encryption: EncryptionOptions{Resources: []string{"Secrets"}}}, "is no resource", "secrets,"},
		{Options{Encryption: EncryptionOptions{Resources: []string{"*"}}}, "is no resource", "*.*"},
		{Options{Encryption: EncryptionOptions{Resources: []string{"secrets", "*.*"}}}, "more than one", "others"},
		{Options{Encryption: EncryptionOptions{Resources: []string{"pods.*"}}}, "is no resource", "*.*"},
		{Options{Encryption: EncryptionOptions{Resources: []string{"events.events.k8s.io"}}}, "does not encrypt", "events.k8s.io"},
		{Options{Encryption: EncryptionOptions{Resources: []string{"serviceipallocations"}}}, "does not encrypt", ""},
		{Options{Encryption: EncryptionOptions{Resources: []string{"secrets"}, Provider: "rot13"}}, "no encryption provider", "secretbox"},
		{Options{Encryption: EncryptionOptions{Resources: []string{"secrets"}, Provider: "kms"}}, "needs the socket", "unix://"},
		{Options{Encryption: EncryptionOptions{Resources: []string{"secrets"}, Provider: "aescbc", KMSName: "a"}}, "not for the provider", "kms"},
		{Options{Encryption: EncryptionOptions{Resources: []string{"secrets"}, KMSEndpoint: "unix:///run/kms.sock"}}, "all of /run", "own"},
		{Options{Encryption: EncryptionOptions{Resources: []string{"secrets"}, KMSEndpoint: "unix:///run/k/s", KMSName: "A"}}, "no name", "letters"},
		{Options{Admission: AdmissionOptions{PodSecurity: "strict"}}, "no pod security level", "restricted"},
		{Options{Admission: AdmissionOptions{PodSecurityExempt: []string{"a"}}}, "without a level", "--pod-security"},
		{Options{Admission: AdmissionOptions{PodSecurity: "baseline", PodSecurityExempt: []string{"A]"}}}, "is no namespace", "commas"},
		{Options{Admission: AdmissionOptions{ImagePolicyAllow: true}}, "ImagePolicyWebhook", "--image-policy-config"},
		{Options{Version: "1.35", Admission: AdmissionOptions{Enable: []string{"JobValidation"}}}, "it came with 1.36", "leave"},
		{Options{TLS: TLSOptions{CertFile: "/a"}}, "go together", "both"},
		{Options{TLS: TLSOptions{MinVersion: "1.1"}}, "no version of TLS", "1.2"},
		{Options{TLS: TLSOptions{CipherSuites: []string{"TLS_RSA_WITH_RC4_128_SHA"}}}, "not a secure one", ""},
		{Options{TLS: TLSOptions{CipherSuites: []string{"TLS_AES_256_GCM_SHA384"}}}, "HTTP/2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		{Options{Kubelet: KubeletOptions{KeyFile: "/a"}}, "go together", "both"},
		{Options{Authentication: AuthenticationOptions{Anonymous: []string{"none", "/a"}}}, "does not go with others", "others"},
		{Options{Authentication: AuthenticationOptions{Anonymous: []string{"/livez*"}}}, "is no path", "knows no *"},
		{Options{Version: "1.31", Authentication: AuthenticationOptions{Anonymous: []string{"probes"}}}, "that came with 1.32", "all"},
		{Options{Authentication: AuthenticationOptions{Anonymous: []string{"probes"}, Config: Contents{"c", []byte("a: b")}}}, "does not go with", "in c"},
		{Options{Authentication: AuthenticationOptions{Config: Contents{"c", []byte("kind: AuthenticationConfiguration\napiVersion: apiserver.config.k8s.io/v1\nanonymus: {}\n")}}}, `"c", line 3, column 1: unknown field "anonymus"`, "did you mean anonymous"},
		{Options{Version: "1.33", Authentication: AuthenticationOptions{Config: Contents{"c", []byte("kind: AuthenticationConfiguration\napiVersion: apiserver.config.k8s.io/v1\n")}}}, `apiVersion "apiserver.config.k8s.io/v1"`, "v1beta1"},
		{Options{Authentication: AuthenticationOptions{Config: Contents{"c", []byte("kind: A\n")}}}, `kind "A"`, "AuthenticationConfiguration"},
		{Options{Authentication: AuthenticationOptions{Config: Contents{"c", []byte("jwt: []\n")}}}, "is missing", "kind"},
		{Options{Authentication: AuthenticationOptions{Config: Contents{"c", []byte("")}}}, "is empty", "kind"},
		{Options{Authentication: AuthenticationOptions{Config: Contents{"c", []byte("a: b\n---\na: b\n")}}}, "second document", "first"},
		{Options{Authentication: AuthenticationOptions{Config: Contents{"c", []byte("- a\n")}}}, "not a mapping", "kind"},
		{Options{Authorization: AuthorizationOptions{Order: []string{"Rbac"}}}, "no authorizer", "did you mean RBAC"},
		{Options{Authorization: AuthorizationOptions{Order: []string{"AlwaysAllow"}}}, "no authorizer", "Node"},
		{Options{Authorization: AuthorizationOptions{Order: []string{"RBAC", "RBAC"}}}, "twice", "once"},
		{Options{Authorization: AuthorizationOptions{Order: []string{"Webhook"}}}, "whom to ask", "--authorization-webhook-config-file"},
		{Options{Authorization: AuthorizationOptions{Order: []string{"RBAC"}, WebhookConfig: "/a"}}, "with a webhook in it", "Webhook"},
		{Options{Authorization: AuthorizationOptions{WebhookConfig: "/a"}}, "with a webhook in it", "Webhook"},
		{Options{Authorization: onError}, "is no decision", "Deny"},
		{Options{Authorization: AuthorizationOptions{Order: []string{"RBAC"}, Config: Contents{"c", []byte("a: b")}}}, "do not go with", "in c"},
		{Options{Authorization: AuthorizationOptions{Config: Contents{"c", []byte("kind: AuthorizationConfiguration\napiVersion: apiserver.config.k8s.io/v1\n")}}}, "no authorizers", "list"},
		{Options{Authorization: AuthorizationOptions{Config: Contents{"c", []byte("kind: AuthorizationConfiguration\napiVersion: apiserver.config.k8s.io/v1\nauthorizers: 1\n")}}}, "cannot unmarshal", "list"},
		{Options{Set: []string{"a"}}, "not NAME=VALUE", "event-ttl"},
		{Options{Set: []string{"event-ttl=1h\n"}}, "control character", "one line"},
		{Options{Set: []string{"nonsense=1"}}, "no flag --nonsense", "--help"},
		{Options{Set: []string{"profiling=false"}, Hardened: true}, "there twice", "leave one out"},
		{Options{Set: []string{"client-ca-file=ca.crt"}}, "not an absolute path", "host"},
		{Options{Set: []string{"authorization-config=/a"}, Authorization: AuthorizationOptions{Order: []string{"RBAC"}}}, "beside", "leave one"},
		{Options{Audit: AuditOptions{Preset: "exam", PolicyFile: "/a/b"}, Encryption: EncryptionOptions{Resources: []string{"secrets"}, ConfigFile: "/a/b"}}, "two files at once", "different"},
	} {
		_, err := NewPlan(test.o)
		checkUsage(t, test.says, err, test.says, test.hint)
	}
}

// TestRepeatedFile: one kubeconfig may serve two webhooks.
func TestRepeatedFile(t *testing.T) {
	t.Parallel()
	_, err := NewPlan(Options{Audit: AuditOptions{Preset: "exam", WebhookConfig: "/srv/hook.conf"}, Admission: AdmissionOptions{ImagePolicyConfig: "/srv/hook.conf"}})
	if err != nil {
		t.Error(err)
	}
}

// TestRenderRefuses: 1.30's kubeadm, and what its forms cannot say.
func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		o          Options
		form       Form
		kind       failure.Kind
		says, hint string
	}{
		{Options{Version: "1.30", Set: []string{"event-ttl=1h"}}, FormKubeadm, failure.Usage, "v1beta4", "kubeadm-patch"},
		{Options{Remove: []string{"client-ca-file"}}, FormKubeadm, failure.Usage, "in any case", "another value"},
		{Options{Set: []string{"client-ca-file=/etc/kubernetes/pki/x.crt"}}, FormKubeadmPatch, failure.Usage, "can only add", "-o kubeadm"},
		{Options{Remove: []string{"authorization-mode"}}, FormKubeadmPatch, failure.Usage, "can only add", "-o kubeadm"},
		{Options{Authentication: AuthenticationOptions{Anonymous: []string{"none"}}}, FormStaticPod, failure.Refused, "without end", "--anonymous probes"},
		{Options{Version: "1.31", Set: []string{"anonymous-auth=false"}}, FormKubeadmPatch, failure.Refused, "without end", "leave it out"},
	} {
		p, err := NewPlan(test.o)
		if err != nil {
			t.Error(err)
			continue
		}
		_, err = p.Render(test.form, nil)
		if err == nil || failure.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) || !strings.Contains(failure.HintOf(err), test.hint) {
			t.Errorf("%v\nhint: %s", err, failure.HintOf(err))
		}
	}
}

func TestVolumeNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 70)
	p, err := NewPlan(Options{Set: []string{"client-ca-file=/srv/k8s-certs/a", "token-auth-file=/srv/T_x", "oidc-ca-file=/srv/y", "requestheader-client-ca-file=/ca-certs/a", "proxy-client-cert-file=/" + long + "/x", "kubelet-client-key=/" + long + "b/x", "kubelet-client-certificate=/ä/x"},
		Remove: []string{"oidc-issuer-url"}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range p.Volumes {
		names = append(names, v.Name)
		if !isLabel(v.Name) {
			t.Errorf("%q is no label", v.Name)
		}
	}
	want := []string{"srv-k8s-certs", "token-auth", "oidc-ca", "ca-certs-2", long[:58], long[:58] + "-2", "files"}
	if !slices.Equal(names, want) {
		t.Errorf("%q\nwant %q", names, want)
	}
}
