package apiserver

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// encryptionKeySize is that of all providers, in octets
// (k8s.io/apiserver/pkg/apis/apiserver/validation: aesKeySizes, secretBoxKeySizes).
const encryptionKeySize = 32

// Providers of encryption at rest.
const (
	providerSecretbox = "secretbox"
	providerAESCBC    = "aescbc"
	providerAESGCM    = "aesgcm"
	providerKMS       = "kms"
)

var encryptionProviders = []string{providerSecretbox, providerAESCBC, providerAESGCM, providerKMS}

// encryption is about encryption at rest.
func (p *planner) encryption() error {
	o := &p.Encryption
	if p.Hardened && o.Resources == nil && o.ConfigFile == "" {
		o.Resources = []string{"secrets"}
	}
	if err := p.checkEncryption(); err != nil {
		return err
	}
	if o.Resources != nil {
		o.ConfigFile = cmp.Or(o.ConfigFile, p.below("encryption-config.yaml"))
		p.file(File{
			Path: o.ConfigFile, Mode: 0o600, Data: o.config(), Secret: true,
			Why: "which resources are encrypted, and the key; without it they cannot be read again",
		})
		p.encryptionNotes()
	} else if o.ConfigFile != "" {
		p.file(File{Path: o.ConfigFile, Mode: 0o600, Secret: true, Why: "the encryption configuration"})
	}
	if err := p.setPath("encryption-provider-config", o.ConfigFile, "what is encrypted in etcd (CIS 1.2.27, 1.2.28)"); err != nil {
		return err
	}
	if o.Reload {
		p.set("encryption-provider-config-automatic-reload", "true", "a new key needs no restart")
	}
	return nil
}

func (p *planner) checkEncryption() error {
	o := &p.Encryption
	if o.Resources == nil {
		switch {
		case o.Provider != "" || o.KMSEndpoint != "" || o.KMSName != "":
			return failure.New(failure.Usage, "add --encrypt secrets", "--encryption-provider and --kms-* are for an encryption configuration that is made")
		case o.Reload && o.ConfigFile == "":
			return failure.New(failure.Usage, "add --encrypt or --encryption-provider-config", "there is no encryption configuration to read again")
		}
		return nil
	}
	o.Resources = unique(o.Resources)
	if err := checkEncrypted(o.Resources); err != nil {
		return err
	}
	if o.Provider == "" && o.KMSEndpoint != "" {
		o.Provider = providerKMS
	}
	o.Provider = cmp.Or(o.Provider, providerSecretbox)
	if !slices.Contains(encryptionProviders, o.Provider) {
		return failure.New(failure.Usage, "choose one of "+strings.Join(encryptionProviders, ", "), "there is no encryption provider %q", o.Provider)
	}
	return p.checkKMS()
}

func (p *planner) checkKMS() error {
	o := &p.Encryption
	if o.Provider != providerKMS {
		if o.KMSEndpoint != "" || o.KMSName != "" {
			return failure.New(failure.Usage, "add --encryption-provider kms, or leave them out", "--kms-endpoint and --kms-name are not for the provider %s", o.Provider)
		}
		return nil
	}
	o.KMSName = cmp.Or(o.KMSName, "kms")
	if !isLabel(o.KMSName) {
		return failure.New(failure.Usage, "take letters, digits and dashes", "--kms-name %q is no name for a KMS plugin", o.KMSName)
	}
	socket, isUnix := strings.CutPrefix(o.KMSEndpoint, "unix://")
	if !isUnix || socket == "" {
		return failure.New(failure.Usage, "write it like --kms-endpoint unix:///run/kms/kms.sock", "the provider kms needs the socket of its plugin")
	}
	if isAbstract(socket) { // the static pod is in the network of its host
		return nil
	}
	if err := checkPath("kms-endpoint", socket); err != nil {
		return err
	}
	p.paths = append(p.paths, usedPath{"kms-endpoint", socket, PathSocket})
	return nil
}

// isAbstract says whether a socket is an abstract one of Linux, which is no file
// (k8s.io/kms/pkg/util, ParseEndpoint).
func isAbstract(socket string) bool { return strings.HasPrefix(socket, "/@") }

// checkEncrypted refuses what kube-apiserver does
// (k8s.io/apiserver/pkg/apis/apiserver/validation, validateResourceNames).
func checkEncrypted(resources []string) error {
	hint := "write it like secrets,configmaps,widgets.example.com or *.*"
	for _, resource := range resources {
		name, group, _ := strings.Cut(resource, ".")
		valid := resource == strings.ToLower(resource) && name != "" && resource != "*" && (group != "*" || name == "*")
		for _, part := range strings.Split(group, ".") {
			valid = valid && (part == "" && group == "" || part == "*" && group == "*" || isLabel(part))
		}
		if !valid || name != "*" && !isLabel(name) {
			return failure.New(failure.Usage, hint, "--encrypt %q is no resource", resource)
		}
		switch {
		case group == "events.k8s.io" || group == "extensions":
			return failure.New(failure.Usage, "resources of the group "+group+" are stored as those of another", "kube-apiserver does not encrypt %q", resource)
		case slices.Contains([]string{"apiserveripinfo", "serviceipallocations", "servicenodeportallocations"}, resource):
			return failure.New(failure.Usage, hint, "kube-apiserver does not encrypt %q: it is no resource of the API", resource)
		case name == "*" && len(resources) > 1:
			return failure.New(failure.Usage, "leave the others out", "--encrypt %q is more than one resource, and does not go with others", resource)
		}
	}
	return nil
}

// config returns the EncryptionConfiguration, with a new key unless a KMS has it.
func (o EncryptionOptions) config() []byte {
	var b strings.Builder
	b.WriteString("apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources:\n")
	for _, resource := range o.Resources {
		b.WriteString("  - " + yamlText(resource) + "\n")
	}
	b.WriteString("  providers:\n  # The first one encrypts, all decrypt.\n")
	if o.Provider == providerKMS {
		fmt.Fprintf(&b, "  - kms:\n      apiVersion: v2\n      name: %s\n      endpoint: %s\n      timeout: 3s\n", o.KMSName, yamlText(o.KMSEndpoint))
	} else {
		key := make([]byte, encryptionKeySize)
		_, _ = rand.Read(key) // it never fails (crypto/rand)
		fmt.Fprintf(&b, "  - %s:\n      keys:\n      - name: key1\n        secret: %s\n", o.Provider, base64.StdEncoding.EncodeToString(key))
	}
	b.WriteString("  # What was written before is not encrypted, and still has to be read.\n  - identity: {}\n")
	return []byte(b.String())
}

func (p *planner) encryptionNotes() {
	o := p.Encryption
	switch o.Provider {
	case providerAESGCM:
		p.note("aesgcm takes random nonces, so its key has to be replaced before 200,000 objects are written; secretbox needs no such care, and the CIS benchmark does not count aesgcm (1.2.28)")
	case providerAESCBC:
		p.note("aescbc does not notice when what is in etcd was changed; secretbox does")
	}
	if o.Provider != providerKMS {
		p.note("every control plane node needs the same " + o.ConfigFile + ": an API server without it cannot read what is encrypted from now on; and a backup of etcd is worth nothing without it")
	}
	p.note("what is in etcd already stays as it is until it is written again: kubectl get " + strings.Join(o.Resources, ",") + " --all-namespaces -o json | kubectl replace -f -")
}
