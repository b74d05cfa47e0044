package apiserver

import (
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/internal/failure"
)

const plainUnit = `[Unit]
Description=Kubernetes API Server
[Service]
# a comment
ExecStart=/usr/local/bin/kube-apiserver \
  --etcd-servers=https://127.0.0.1:2379 \
  # one within
  --enable-admission-plugins NodeRestriction \
  "--service-account-issuer=https://a b" --authorization-mode=Node,RBAC --profiling -v=2 --oidc_required_claim='a=$$b%%'
Restart=on-failure
[Install]
WantedBy=multi-user.target
`

// TestDropIn: the whole command of the unit, with the change in it.
func TestDropIn(t *testing.T) {
	t.Parallel()
	p, err := NewPlan(Options{
		Audit:         AuditOptions{Preset: "exam", LogPath: "/var/log/a b/audit.log"},
		Admission:     AdmissionOptions{Enable: []string{"AlwaysPullImages", "NodeRestriction"}},
		Authorization: AuthorizationOptions{Order: []string{"Node", "RBAC"}, ConfigFile: "/srv/100%.yaml"},
		Set:           []string{"profiling=false", `external-hostname=a"b\c$d`},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Render(FormSystemd, []byte(plainUnit))
	if err != nil {
		t.Fatal(err)
	}
	const want = `# Save as /etc/systemd/system/kube-apiserver.service.d/50-pkictl.conf, then:
#   systemctl daemon-reload && systemctl restart kube-apiserver
[Unit]
AssertPathExists=/etc/kubernetes/apiserver/audit-policy.yaml
AssertPathExists=/srv/100%%.yaml
[Service]
ExecStartPre=+/bin/mkdir -p -m 0700 "/var/log/a b"
ReadWritePaths="-/var/log/a b"
ExecStart=
ExecStart=/usr/local/bin/kube-apiserver \
  --etcd-servers=https://127.0.0.1:2379 \
  --enable-admission-plugins=NodeRestriction,AlwaysPullImages \
  "--service-account-issuer=https://a b" \
  --profiling=false \
  --v=2 \
  --oidc-required-claim=a=$$b%% \
  --audit-policy-file=/etc/kubernetes/apiserver/audit-policy.yaml \
  "--audit-log-path=/var/log/a b/audit.log" \
  --audit-log-maxage=30 \
  --audit-log-maxbackup=10 \
  --audit-log-maxsize=100 \
  --authorization-config=/srv/100%%.yaml \
  "--external-hostname=a\"b\\c$$d"
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// The drop-in as a unit says the same, so it can be made again.
	again, err := p.Render(FormSystemd, got)
	if err != nil || string(again) != want {
		t.Errorf("again: %v\n%s", err, again)
	}
}

func TestDropInRefuses(t *testing.T) {
	t.Parallel()
	enc := Options{Encryption: EncryptionOptions{Resources: []string{"secrets"}}}
	for _, test := range []struct {
		unit string
		o    Options
		kind failure.Kind
		says string
	}{
		{"", Options{}, failure.Usage, "no ExecStart="},
		{"[Unit]\nExecStart=/bin/kube-apiserver\n", Options{}, failure.Usage, "no ExecStart="},
		{"[Service]\nExecStart=/bin/etcd --a=b\n", Options{}, failure.Usage, `starts "etcd"`},
		{"[Service]\nExecStart=/bin/kube-apiserver $ARGS\n", Options{}, failure.Usage, `has "$"`},
		{"[Service]\nExecStart=/bin/kube-apiserver --a=%n\n", Options{}, failure.Usage, `has "%"`},
		{"[Service]\nExecStart=/bin/kube-apiserver '--a\n", Options{}, failure.Usage, "does not end"},
		{"[Service]\nExecStart=/bin/kube-apiserver serve\n", Options{}, failure.Usage, `"serve" is no flag`},
		{"[Service]\nExecStart=/bin/kube-apiserver --insecure-port=0\n", Options{}, failure.Usage, "1.23 was the last"},
		{"[Service]\nExecStart=/bin/kube-apiserver --nonsense\n", Options{}, failure.Usage, "no flag --nonsense"},
		{"[Service]\nExecStart=/bin/kube-apiserver --encryption-provider-config=/a\n", enc, failure.Refused, "could not be read any more"},
		{"[Service]\nExecStart=/bin/kube-apiserver --encryption-provider-config=/a\n", Options{Remove: []string{"encryption-provider-config"}}, failure.Refused, "could not be read"},
		{"[Service]\nExecStart=/bin/kube-apiserver --oidc-issuer-url=https://a --oidc-client-id=b\n", Options{Authentication: AuthenticationOptions{ConfigFile: "/a"}}, failure.Refused, "log in"},
		{"[Service]\nExecStart=/bin/kube-apiserver --authorization-mode=Webhook --authorization-webhook-config-file=/a\n", Options{Authorization: AuthorizationOptions{ConfigFile: "/srv/a"}}, failure.Refused, "decisions of that webhook"},
	} {
		test.o.Set = append(test.o.Set, "event-ttl=1h")
		p, err := NewPlan(test.o)
		if err != nil {
			t.Error(err)
			continue
		}
		_, err = p.Render(FormSystemd, []byte(test.unit))
		if err == nil || failure.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) || failure.HintOf(err) == "" {
			t.Errorf("%q: %v\nhint: %s", test.unit, err, failure.HintOf(err))
		}
	}
}

// TestDropInVariable: what the variable holds are the flags.
func TestDropInVariable(t *testing.T) {
	t.Parallel()
	p, err := NewPlan(Options{Set: []string{`external-hostname=it's "a"\b 100%`}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Render(FormSystemd, nil)
	if want := `Environment="KUBE_APISERVER_EXTRA_ARGS='--external-hostname=it\\'s \"a\"\\\\b 100%%'"`; err != nil || !strings.Contains(string(got), want) {
		t.Errorf("%v\n%s\nwant %s", err, got, want)
	}
}

// TestQuoted: each YAML parser reads what was written.
func TestQuoted(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "yes", "1.0", `a"b\c`, "a: b", "{a}", "# x", "*", "ä\u2028\ufeff", "-", "null", "a\tb\x7f"} {
		for _, written := range []string{quoted(text), yamlText(text)} {
			var got struct{ A string }
			if err := yaml.Unmarshal([]byte("A: "+written+"\n"), &got); err != nil || got.A != text {
				t.Errorf("%q is written as %s and read as %q, %v", text, written, got.A, err)
			}
		}
	}
}

func TestCheckEncryption(t *testing.T) {
	t.Parallel()
	made := func(o EncryptionOptions) []byte {
		p, err := NewPlan(Options{Encryption: o})
		if err != nil {
			t.Fatal(err)
		}
		return p.Files[0].Data
	}
	both := made(EncryptionOptions{Resources: []string{"secrets", "configmaps"}})
	for _, test := range []struct {
		data string
		o    EncryptionOptions
		says string
	}{
		{string(both), EncryptionOptions{Resources: []string{"secrets"}}, ""},
		{string(both), EncryptionOptions{Resources: []string{"secrets"}, Provider: "aescbc"}, "with secretbox, not with aescbc"},
		{string(both), EncryptionOptions{Resources: []string{"secrets"}, KMSEndpoint: "unix:///a/b"}, "not with kms"},
		{string(both), EncryptionOptions{Resources: []string{"events"}}, "does not encrypt events"},
		{string(made(EncryptionOptions{Resources: []string{"*.*"}})), EncryptionOptions{Resources: []string{"secrets"}}, ""},
		{string(made(EncryptionOptions{Resources: []string{"*."}})), EncryptionOptions{Resources: []string{"secrets"}}, ""},
		{string(made(EncryptionOptions{Resources: []string{"*.example.com"}})), EncryptionOptions{Resources: []string{"widgets.example.com"}}, ""},
		{string(made(EncryptionOptions{Resources: []string{"*.example.com"}})), EncryptionOptions{Resources: []string{"secrets"}}, "does not encrypt secrets"},
		{strings.Replace(string(both), "  - secretbox:", "  - identity: {}\n  - secretbox:", 1), EncryptionOptions{Resources: []string{"secrets"}}, "does not encrypt secrets"},
		{"kind: EncryptionConfiguration\nresources: [secret-key-material]\n", EncryptionOptions{Resources: []string{"secrets"}}, "is no EncryptionConfiguration"},
		{"", EncryptionOptions{}, "is no EncryptionConfiguration"},
	} {
		err := CheckEncryption("x.yaml", []byte(test.data), test.o)
		switch {
		case test.says == "" && err != nil:
			t.Error(err)
		case test.says != "" && (err == nil || failure.KindOf(err) != failure.Refused || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "material")):
			t.Errorf("%v, want %q", err, test.says)
		}
	}
}

func FuzzUnitCommand(f *testing.F) {
	f.Add(plainUnit)
	f.Add("[Service]\nExecStart=/bin/kube-apiserver \"a b\" 'c' \\\n -v=1\n")
	f.Fuzz(func(t *testing.T, unit string) {
		words, err := unitCommand([]byte(unit))
		if err != nil {
			if failure.KindOf(err) != failure.Usage {
				t.Error(err)
			}
			return
		}
		var quoted []string
		for _, word := range words {
			if strings.ContainsAny(word, "\r\n") {
				return
			}
			quoted = append(quoted, systemdQuote(word))
		}
		again, err := unitCommand([]byte("[Service]\nExecStart=" + strings.Join(quoted, " ") + "\n"))
		if err != nil || !slices.Equal(again, words) {
			t.Errorf("%q became %q, %v", words, again, err)
		}
	})
}

func FuzzReadConfig(f *testing.F) {
	f.Add("kind: AuthorizationConfiguration\napiVersion: apiserver.config.k8s.io/v1\nauthorizers:\n- {type: Webhook, name: a, webhook: {connectionInfo: {kubeConfigFile: /a}}}\n")
	f.Add("kind: [a]\n? b\n: &a c\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, o := range []Options{
			{Authorization: AuthorizationOptions{Config: Contents{"c", []byte(text)}}},
			{Authentication: AuthenticationOptions{Config: Contents{"c", []byte(text)}}},
		} {
			if _, err := NewPlan(o); err != nil && failure.KindOf(err) != failure.Usage {
				t.Error(err)
			}
			_ = CheckEncryption("c", []byte(text), EncryptionOptions{Resources: []string{"secrets"}})
		}
	})
}
