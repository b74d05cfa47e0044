package apiserver

import (
	"io/fs"

	"github.com/pkictl/pkictl/internal/store"
)

// Options say what kube-apiserver is to do. All paths are absolute, and those of
// the host that it runs on, where they do not say otherwise.
type Options struct {
	// Version is the minor version of kube-apiserver, like 1.36 or v1.36.3.
	// Empty is the newest that is known.
	Version string
	// Dir is the directory of the files that a Plan makes. Empty is DefaultDir.
	Dir string
	// Hardened sets every flag that the CIS Kubernetes Benchmark asks for and
	// kubeadm leaves out, where nothing else here says it.
	Hardened bool

	Audit          AuditOptions
	Encryption     EncryptionOptions
	Admission      AdmissionOptions
	TLS            TLSOptions
	ClientCA       string // file of the CAs of client certificates
	Kubelet        KubeletOptions
	Authentication AuthenticationOptions
	Authorization  AuthorizationOptions

	// Set are further flags, NAME=VALUE without dashes, and Remove names of
	// flags that are to go.
	Set    []string
	Remove []string
	// AnyFlag takes flags in Set that Version is not known to have, as they are.
	AnyFlag bool

	// ReadHost reads a file of the host, so that what is named in it is mounted,
	// too; nil where this is not the host.
	ReadHost func(path string) ([]byte, error)
}

// DefaultDir is where the files that a Plan makes are on the host.
const DefaultDir = "/etc/kubernetes/apiserver"

// Contents are what a file on the host is to hold. Data is nil where the file is
// there already.
type Contents struct {
	Name string // what errors call it
	Data []byte
}

// ReadContents reads a file that is here, for one on the host.
func ReadContents(path string) (Contents, error) {
	data, err := store.Read(path, store.MaxYAML)
	return Contents{Name: path, Data: data}, err
}

// AuditOptions are about the audit log and the audit webhook.
type AuditOptions struct {
	PolicyFile string   // path of the policy on the host
	Policy     Contents // what PolicyFile is to hold
	Preset     string   // of audit.Presets, instead of Policy
	LogPath    string   // "-" is standard output
	// MaxAge is in days, MaxBackup in files and MaxSize in megabytes. 0 is the
	// default, which is the least that the CIS Kubernetes Benchmark wants.
	MaxAge, MaxBackup, MaxSize int
	// WebhookConfig is a kubeconfig that names the receiver of events.
	WebhookConfig string
	WebhookMode   string // batch, blocking or blocking-strict; empty: batch
	// The rest is for the mode batch; empty is kube-apiserver's default.
	WebhookBatchMaxSize int
	WebhookBatchMaxWait string // a duration, like 5s
}

// EncryptionOptions are about encryption at rest.
type EncryptionOptions struct {
	// Resources are encrypted with a new key or by a KMS: secrets, configmaps,
	// widgets.example.com. Empty: no configuration is made.
	Resources []string
	// Provider is secretbox, aescbc, aesgcm or kms; empty is secretbox.
	Provider    string
	KMSEndpoint string // unix:///run/kms.sock
	KMSName     string // of the provider kms; empty: kms
	// ConfigFile is the path of the configuration. Empty is a file in Dir, if
	// there are Resources.
	ConfigFile string
	// Reload has kube-apiserver read the configuration again when it changes.
	Reload bool
}

// AdmissionOptions are about admission plugins.
type AdmissionOptions struct {
	Enable, Disable []string // added to what is there
	ConfigFile      string   // --admission-control-config-file; empty: a file in Dir, if there is something to say
	// PodSecurity is the level that namespaces without labels get: privileged,
	// baseline or restricted; PodSecurityExempt are namespaces without it.
	PodSecurity       string
	PodSecurityExempt []string
	// ImagePolicyConfig is a kubeconfig that names the backend of the plugin
	// ImagePolicyWebhook. Images are refused when it does not answer, unless
	// ImagePolicyAllow.
	ImagePolicyConfig string
	ImagePolicyAllow  bool
}

// TLSOptions are about the certificate that clients see.
type TLSOptions struct {
	CertFile, KeyFile string
	MinVersion        string // 1.2 or 1.3, or VersionTLS12
	StrongCiphers     bool   // the suites that the CIS Kubernetes Benchmark allows
	CipherSuites      []string
}

// KubeletOptions are about connections to kubelets.
type KubeletOptions struct {
	CA                string // that signed the kubelets' serving certificates
	CertFile, KeyFile string // of the client certificate
}

// AuthenticationOptions are about who somebody is.
type AuthenticationOptions struct {
	// Anonymous is none, all, or paths at which requests without credentials are
	// served: /livez, /readyz, /healthz.
	Anonymous []string
	// ConfigFile is the path of an AuthenticationConfiguration, and Config what it
	// is to hold. Without Config, Anonymous makes it if it has paths.
	ConfigFile string
	Config     Contents
}

// AuthorizationOptions are about what somebody may do.
type AuthorizationOptions struct {
	// Order is that of the authorizers: Node, RBAC, Webhook, ABAC.
	Order []string
	// WebhookConfig is a kubeconfig that names the webhook; WebhookOnError is
	// what an unreachable one means: NoOpinion or Deny.
	WebhookConfig  string
	WebhookOnError string
	// ConfigFile is the path of an AuthorizationConfiguration, and Config what it
	// is to hold. Without Config, Order makes it if there is a webhook in it.
	ConfigFile string
	Config     Contents
}

// File has to be on the host before kube-apiserver starts.
type File struct {
	Path string      `json:"path"` // absolute
	Mode fs.FileMode `json:"-"`    // of a new one
	Dir  bool        `json:"directory,omitempty"`
	// Data are the contents; nil for a directory, and for a file that has to be
	// there already.
	Data []byte `json:"-"`
	// Secret says that it holds a key: an existing one is never replaced, for
	// what is encrypted with its key would be lost.
	Secret bool   `json:"secret,omitempty"`
	Why    string `json:"why,omitempty"`
}

// Plan is a change of kube-apiserver's flags, with the files that it needs and
// what there is to know about it.
type Plan struct {
	Change
	Version Version  `json:"version"`
	Files   []File   `json:"files,omitempty"`
	Notes   []string `json:"notes,omitempty"`

	asksWebhook bool // the authorization configuration has a webhook
}
