package tui

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
)

// What kube-apiserver can be asked for.
const (
	topicAudit       = "audit"
	topicEncryption  = "encryption"
	topicPodSecurity = "pod-security"
	topicAdmission   = "admission"
	topicAnonymous   = "anonymous"
	topicTLS         = "tls"
	topicCIS         = "cis"
	topicOther       = "other"
)

func apiTopics() []option {
	return []option{
		{topicAudit, "Audit log", "write down who did what"},
		{topicEncryption, "Encryption at rest", "Secrets are plain text in etcd, and in its backups, without it"},
		{topicPodSecurity, "Pod Security", "what pods may do in namespaces that do not say it"},
		{topicAdmission, "Admission plugins", "enable or disable some"},
		{topicAnonymous, "Anonymous access", "which requests are served without credentials"},
		{topicTLS, "TLS", "least version, and strong ciphers only"},
		{topicCIS, "CIS hardening", "what kubeadm leaves out: audit log, encryption, profiling, anonymous access, TLS"},
		{topicOther, "Other flags", "any of them, by name"},
	}
}

func (f *flowAPIServer) topicsStep() step {
	return step{
		title:  "What it is to do",
		intro:  "Only what is chosen here is asked for, and changed. What is set already stays.",
		hidden: func() bool { return !f.does(apiPatch, apiFlags) },
		load:   f.readManifest,
		fields: []field{{title: "It is to have", many: &f.topics, options: apiTopics}},
		check: func() error {
			if len(f.topics) == 0 {
				return failure.New(failure.Usage, "choose at least one", "nothing is asked of kube-apiserver")
			}
			return nil
		},
	}
}

// readManifest finds out which version the manifest is of: the flags that are
// typed are held against those of that version.
func (f *flowAPIServer) readManifest(context.Context) error {
	f.manifestVersion.Store(nil)
	if !f.does(apiPatch) {
		return nil
	}
	m, err := apiserver.ReadManifest(f.manifestPath())
	if err != nil {
		return err
	}
	version := m.Version()
	f.manifestVersion.Store(&version)
	return nil
}

// knownVersion is the version whose flags count.
func (f *flowAPIServer) knownVersion() apiserver.Version {
	text := f.version
	if f.does(apiPatch) {
		text = ""
		if v := f.manifestVersion.Load(); v != nil {
			text = *v
		}
	}
	if v, err := apiserver.ParseVersion(text); err == nil {
		return v
	}
	return apiserver.NewestKnown()
}

// apiCheckOf judges a value by what apiserver flags says of it alone.
func apiCheckOf(version string, set func(o *apiserver.Options, value string)) func(string) error {
	return func(value string) error {
		o := apiserver.Options{Version: version}
		set(&o, value)
		_, err := apiserver.NewPlan(o)
		return err
	}
}

// checkOf is apiCheckOf for the version whose flags count.
func (f *flowAPIServer) checkOf(set func(o *apiserver.Options, value string)) func(string) error {
	return func(value string) error { return apiCheckOf(f.knownVersion().String(), set)(value) }
}

func checkAPITimeout(text string) error {
	if d, err := time.ParseDuration(text); err != nil || d <= 0 {
		return failure.New(failure.Usage, "for example 60s", "%q is no time to wait", text)
	}
	return nil
}

func checkAPINumber(text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 1 {
		return failure.New(failure.Usage, "write a number, as in 30", "%q is no number above 0", text)
	}
	return nil
}

func (f *flowAPIServer) topicSteps() []step {
	steps := []step{f.auditStep(), f.encryptionStep(), f.podSecurityStep(), f.admissionStep(), f.anonymousStep(), f.tlsStep(), f.cisStep(), f.otherStep()}
	topics := apiTopics()
	for i := range steps {
		topic := topics[i]
		steps[i].title = topic.label
		steps[i].hidden = func() bool { return !f.does(apiPatch, apiFlags) || !slices.Contains(f.topics, topic.value) }
	}
	return steps
}

func (f *flowAPIServer) auditStep() step {
	withLog := func(set func(o *apiserver.AuditOptions, v string)) func(string) error {
		return f.checkOf(func(o *apiserver.Options, v string) {
			o.Audit.LogPath = apiserver.DefaultAuditLog
			set(&o.Audit, v)
		})
	}
	isStdout := func() bool { return f.toStdout || f.logPath == "-" }
	return step{
		intro: "The policy says what is logged. The log is a file on the host: who can read it reads what users do.",
		fields: []field{
			{key: "audit-preset", title: "Policy", choice: &f.auditFrom, options: apiAuditOptions},
			{key: "audit-policy-from", title: "File here", text: &f.policyFrom, check: typedCheck(nil), required: true, hidden: func() bool { return f.auditFrom != auditFromFile },
				help: "A policy that is copied to where kube-apiserver reads it, as in: audit-policy.yaml"},
			{key: "audit-policy-file", title: "Path there", text: &f.policyFile, required: true, hidden: func() bool { return f.auditFrom != auditFromHost },
				check: withLog(func(o *apiserver.AuditOptions, v string) { o.PolicyFile = v }),
				help:  "A policy that is on the host already, as in: /etc/kubernetes/audit-policy.yaml"},
			{key: "audit-log-path", title: "To stdout", yes: &f.toStdout,
				help: "Standard output of kube-apiserver, among its other lines, in place of a file."},
			{key: "audit-log-path", title: "Log", text: &f.logPath, hidden: func() bool { return f.toStdout }, fallback: func() string { return apiserver.DefaultAuditLog },
				check: withLog(func(o *apiserver.AuditOptions, v string) { o.LogPath = v }),
				help:  "Path on the host. Where there is a log already, empty leaves it where it is."},
			{key: "audit-log-maxage", title: "Days", text: &f.maxAge, check: checkAPINumber, hidden: isStdout, fallback: func() string { return "30" },
				help: "How long old logs stay. The CIS benchmark wants 30 at least."},
			{key: "audit-log-maxbackup", title: "Old logs", text: &f.maxBackup, check: checkAPINumber, hidden: isStdout, fallback: func() string { return "10" },
				help: "How many of them stay. The CIS benchmark wants 10 at least."},
			{key: "audit-log-maxsize", title: "Megabytes", text: &f.maxSize, check: checkAPINumber, hidden: isStdout, fallback: func() string { return "100" },
				help: "Until a new log begins. The CIS benchmark wants 100 at least."},
		},
	}
}

// apiAuditOptions are the presets, and where else a policy may come from.
func apiAuditOptions() []option {
	var list []option
	for _, o := range auditPresetOptions() {
		o.label = "preset " + o.value
		list = append(list, option{apiPreset(o.value), o.label, o.help})
	}
	return append(list,
		option{auditFromFile, "a file that is here", "made with audit generate, or by hand"},
		option{auditFromHost, "a file that is on the host", "nothing is copied"},
	)
}

func (f *flowAPIServer) encryptionStep() step {
	isKMS := func() bool { return f.provider == "kms" }
	return step{
		intro: "Every control plane node needs the same file with the key. Who loses it loses what is encrypted.",
		fields: []field{
			{key: "encrypt", title: "Resources", list: &f.encrypt, required: true, suggestions: audit.ResourceNames,
				check: f.checkOf(func(o *apiserver.Options, v string) { o.Encryption.Resources = []string{v} }),
				help:  "As in: secrets, configmaps, widgets.example.com"},
			{key: "encryption-provider", title: "Provider", choice: &f.provider, options: func() []option {
				return []option{
					{"secretbox", "secretbox", "XSalsa20 and Poly1305, with a new key in a file; the one to take without a KMS"},
					{"aescbc", "aescbc", "AES-CBC: does not notice when what is in etcd was changed"},
					{"aesgcm", "aesgcm", "AES-GCM: its key has to be replaced before 200,000 objects are written"},
					{"kms", "kms", "the key stays in a key management service, whose plugin runs on the node"},
				}
			}},
			{key: "kms-endpoint", title: "Socket", text: &f.kmsEndpoint, required: true, hidden: func() bool { return !isKMS() },
				check: f.checkOf(func(o *apiserver.Options, v string) {
					o.Encryption = apiserver.EncryptionOptions{Resources: []string{"secrets"}, Provider: "kms", KMSEndpoint: v}
				}), help: "Of the KMS plugin, as in: unix:///run/kms/kms.sock"},
			{key: "kms-name", title: "Its name", text: &f.kmsName, hidden: func() bool { return !isKMS() }, fallback: func() string { return "kms" },
				check: f.checkOf(func(o *apiserver.Options, v string) {
					o.Encryption = apiserver.EncryptionOptions{Resources: []string{"secrets"}, Provider: "kms", KMSEndpoint: "unix:///@kms", KMSName: v}
				}), help: "Stays the same for ever: it is written beside what is encrypted."},
			{key: "encryption-provider-config-automatic-reload", title: "Read it again", yes: &f.reload,
				help: "When the file changes, without a restart: a key is then changed in the file alone."},
		},
	}
}

func (f *flowAPIServer) podSecurityStep() step {
	return step{
		intro: "Labels of a namespace say what its pods may do. This is for namespaces without such labels.",
		fields: []field{
			{key: "pod-security", title: "Level", choice: &f.podSecurity, options: func() []option {
				return []option{
					{"baseline", "baseline", "no known way out of the container: no host network, no privileged containers"},
					{"restricted", "restricted", "also: no root, all capabilities dropped, a seccomp profile. Many programs need changes first"},
					{"privileged", "privileged", "everything, as Kubernetes has it without being told"},
				}
			}},
			{key: "pod-security-exempt", title: "But not in", list: &f.podSecurityExempt, fallback: func() string { return "kube-system" },
				check: f.checkOf(func(o *apiserver.Options, v string) {
					o.Admission.PodSecurity, o.Admission.PodSecurityExempt = "baseline", []string{v}
				}), help: "Namespaces that the level is not for. Pods of the control plane and of the network need kube-system."},
		},
	}
}

func (f *flowAPIServer) admissionStep() step {
	names := func() []string { return apiserver.PluginNames(f.knownVersion()) }
	return step{
		intro: "They are added to those that are set already. About twenty are enabled without being named.",
		fields: []field{
			{key: "enable-admission-plugins", title: "Enable", list: &f.enable, suggestions: names,
				check: f.checkOf(func(o *apiserver.Options, v string) { o.Admission.Enable = []string{v} }),
				help:  "As in: NodeRestriction (a kubelet changes only its own node, and pods on it), AlwaysPullImages"},
			{key: "disable-admission-plugins", title: "Disable", list: &f.disable, suggestions: names,
				check: f.checkOf(func(o *apiserver.Options, v string) { o.Admission.Disable = []string{v} }),
				help:  "What it did is then done no more."},
		},
		check: func() error {
			if len(f.enable)+len(f.disable) == 0 {
				return failure.New(failure.Usage, "name a plugin, or leave the topic out", "no admission plugin is named")
			}
			return nil
		},
	}
}

func (f *flowAPIServer) anonymousStep() step {
	return step{
		intro: "Requests without credentials are those of system:anonymous. The kubelet's probes are among them.",
		fields: []field{
			{key: "anonymous", title: "Served are", choice: &f.anonymous, options: func() []option {
				return []option{
					{"probes", "/livez, /readyz and /healthz", "what the kubelet and load balancers ask"},
					{"probes,join", "these, and what kubeadm join reads", "while nodes still join by a token"},
					{anonymousPaths, "paths of your own", ""},
					{"all", "all of them", "as Kubernetes has it without being told; RBAC decides"},
					{"none", "none", "not for a static pod: the kubelet's probes fail, and it restarts it without end"},
				}
			}},
			{title: "Paths", list: &f.anonymousAt, required: true, hidden: func() bool { return f.anonymous != anonymousPaths },
				check: f.checkOf(func(o *apiserver.Options, v string) { o.Authentication.Anonymous = []string{v} }),
				help:  "As in: probes, /version. A static pod needs probes, or /livez and /readyz."},
		},
	}
}

func (f *flowAPIServer) tlsStep() step {
	return step{
		intro: "What clients may use towards kube-apiserver.",
		fields: []field{
			{key: "tls-min-version", title: "TLS at least", choice: &f.tlsMin, options: func() []option {
				return []option{{"1.2", "1.2", "as Go has it without being told; said so that scanners see it"}, {"1.3", "1.3", "old clients and some load balancers end there"}, {"", "leave it", ""}}
			}},
			{key: "tls-cipher-suites", title: "Strong ciphers", yes: &f.strongCiphers, help: "Of TLS 1.2, those that the CIS benchmark allows. Those of TLS 1.3 are all strong."},
		},
		check: func() error {
			if f.tlsMin == "" && !f.strongCiphers {
				return failure.New(failure.Usage, "choose one of them, or leave the topic out", "nothing is asked of TLS")
			}
			return nil
		},
	}
}

func (f *flowAPIServer) cisStep() step {
	return step{
		intro: "What the CIS benchmark asks for and kubeadm leaves out, where you do not say otherwise. Review shows all.",
		fields: []field{
			{key: "kubelet-certificate-authority", title: "Kubelets' CA", text: &f.kubeletCA,
				check: f.checkOf(func(o *apiserver.Options, v string) { o.Kubelet.CA = v }),
				help:  "CIS 1.2.5. Empty: not checked. Without serverTLSBootstrap of the kubelets, kubectl logs and exec then fail."},
		},
	}
}

func (f *flowAPIServer) otherStep() step {
	s := step{
		intro: "Any flag of kube-apiserver. Names, values and paths are held against what its version takes.",
		check: func() error {
			if len(f.setFlags())+len(f.unset) == 0 {
				return failure.New(failure.Usage, "name a flag, or leave the topic out", "no flag is named")
			}
			return nil
		},
	}
	for i := range f.set {
		s.fields = append(s.fields, field{
			key: "set", title: "Flag " + strconv.Itoa(i+1), text: &f.set[i],
			hidden:      func() bool { return i > 0 && f.set[i-1] == "" && f.set[i] == "" },
			check:       f.checkOf(func(o *apiserver.Options, v string) { o.Set = []string{v} }),
			suggestions: f.flagSuggestions,
			help:        "NAME=VALUE, as in: event-ttl=2h",
		})
	}
	s.fields = append(s.fields, field{
		key: "unset", title: "Take away", list: &f.unset, suggestions: func() []string { return apiserver.FlagNames(f.knownVersion()) },
		check: f.checkOf(func(o *apiserver.Options, v string) { o.Remove = []string{v} }),
		help:  "Names of flags that are to go, as in: profiling, event-ttl",
	})
	return s
}

func (f *flowAPIServer) flagSuggestions() []string {
	names := apiserver.FlagNames(f.knownVersion())
	for i := range names {
		names[i] += "="
	}
	return names
}
