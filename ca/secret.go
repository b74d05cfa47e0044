package ca

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// Types of Secrets (k8s.io/api/core/v1). The module itself is not used: it
// makes the program 5.9 MB larger and each start a tenth slower.
const (
	typeTLS    = "kubernetes.io/tls"
	typeOpaque = "Opaque"
)

// Keys in the data of a Secret: those of kubernetes.io/tls, the key under which
// cert-manager and ingress controllers keep a CA, and pkictl's own.
const (
	secretCert       = "tls.crt"
	secretKey        = "tls.key"
	secretCA         = "ca.crt"
	secretKubeconfig = "kubeconfig"
)

// secretManifest is the part of core/v1.Secret that is written.
type secretManifest struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   secretMetadata    `json:"metadata"`
	Type       string            `json:"type"`
	Data       map[string][]byte `json:"data"`
}

type secretMetadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// secret returns a Secret manifest in YAML.
func (e Export) secret(c Credential) ([]byte, error) {
	if err := checkSecretName(e.Name, e.Namespace); err != nil {
		return nil, err
	}
	manifest := secretManifest{
		APIVersion: "v1", Kind: "Secret", Type: typeTLS,
		Metadata: secretMetadata{
			Name: e.Name, Namespace: e.Namespace,
			Labels: map[string]string{"app.kubernetes.io/managed-by": "pkictl"},
			Annotations: map[string]string{
				"pkictl.dev/serial":    FormatSerial(c.Certificate.SerialNumber),
				"pkictl.dev/not-after": c.Certificate.NotAfter.UTC().Format(time.RFC3339),
			},
		},
		Data: map[string][]byte{secretCert: c.CertPEM, secretKey: c.KeyPEM, secretCA: c.CAPEM},
	}
	if e.Form == ExportOpaqueSecret {
		manifest.Type = typeOpaque
		if e.Kubeconfig != nil {
			manifest.Data[secretKubeconfig] = e.Kubeconfig
		}
	}
	return yaml.Marshal(manifest)
}

// SecretName makes the name of a Secret from that of a file, empty where
// nothing of it can stand in one: lower case, and '-' for what is neither a
// letter, a digit nor a dot (RFC 1123, section 2.1).
func SecretName(name string) string {
	mapped := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.':
			return r
		case r >= 'A' && r <= 'Z':
			return r + ('a' - 'A')
		}
		return '-'
	}, name)
	var labels []string
	for _, label := range strings.Split(mapped, ".") {
		words := strings.FieldsFunc(label, func(r rune) bool { return r == '-' })
		if len(words) > 0 {
			labels = append(labels, strings.Join(words, "-"))
		}
	}
	return strings.Join(labels, ".")
}

func checkSecretName(name, namespace string) error {
	if name == "" {
		return failure.New(failure.Usage, "choose one with --secret-name", "the files' name gives no name for a Secret")
	}
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return failure.New(failure.Usage, "choose one with --secret-name: lower-case letters, digits, '-' and '.', at most 253",
			"%q is not the name of a Secret", name)
	}
	if namespace != "" && len(validation.IsDNS1123Label(namespace)) > 0 {
		return failure.New(failure.Usage, "write lower-case letters, digits and '-', at most 63",
			"%q is not the name of a namespace", namespace)
	}
	return nil
}

// explainSecret uses generic for both types: kubectl create secret tls takes no
// CA.
func (e Export) explainSecret(p ExportPaths, cert, key string) string {
	kind := typeTLS
	if e.Form == ExportOpaqueSecret {
		kind = typeOpaque
	}
	var b strings.Builder
	b.WriteString("kubectl create secret generic " + e.Name + " --type=" + kind)
	if e.Namespace != "" {
		b.WriteString(" --namespace=" + e.Namespace)
	}
	b.WriteString(` \` + "\n  --from-file=" + secretCert + "=" + cert + " --from-file=" + secretKey + "=" + key +
		" --from-file=" + secretCA + "=" + shell.Quote(BundlePath(p.Dir)))
	if e.Form == ExportOpaqueSecret && p.Kubeconfig != "" {
		b.WriteString(" --from-file=" + secretKubeconfig + "=" + shell.Quote(p.Kubeconfig))
	}
	b.WriteString(` \` + "\n  --dry-run=client -o yaml")
	return b.String()
}
