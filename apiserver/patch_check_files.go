package apiserver

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// read returns the contents of a file of the host, as they will be.
func (c *checker) read(host string) ([]byte, error) {
	if file, isMade := c.made[host]; isMade && !file.Dir {
		return file.Data, nil
	}
	return store.Read(host, store.MaxYAML)
}

// readSeen returns the contents of a file that kube-apiserver sees.
func (c *checker) readSeen(file string) ([]byte, error) {
	host, isHost := c.HostPath(file)
	if !isHost {
		return nil, fs.ErrNotExist
	}
	return c.read(host)
}

// checkFile checks that the file that a flag names is there, and of its kind.
func (c *checker) checkFile(flag, host string) {
	data, ok := c.checkThere("--"+flag, host)
	if !ok {
		return
	}
	if err := checkContents(flag, host, data); err != nil {
		c.add("put the right file there", "--%s: %s", flag, err)
	}
}

// checkThere checks that a file is there that somebody names.
func (c *checker) checkThere(by, host string) (data []byte, ok bool) {
	data, err := c.read(host)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.found = append(c.found, Problem{
			Message: fmt.Sprintf("%s names %q, which is not there", by, host), Hint: "put it there first", missing: host,
		})
	case err != nil:
		c.add("run it as root, and see what it is", "%s: %s", by, err)
	}
	return data, err == nil
}

// kindFor returns the kind of the configuration file that a flag names, if it is
// one.
func kindFor(flag string) string {
	switch flag {
	case "admission-control-config-file":
		return "AdmissionConfiguration"
	case "authentication-config":
		return "AuthenticationConfiguration"
	case "authorization-config":
		return "AuthorizationConfiguration"
	case "egress-selector-config-file":
		return "EgressSelectorConfiguration"
	case "tracing-config-file":
		return "TracingConfiguration"
	}
	return ""
}

// checkContents checks that a file is of the kind that the flag is for. No error
// has anything of a key in it.
func checkContents(flag, host string, data []byte) error {
	if kind := kindFor(flag); kind != "" {
		return checkKind(host, data, kind)
	}
	switch flag {
	case "audit-policy-file":
		_, err := audit.Parse(host, data)
		return err
	case "encryption-provider-config":
		return CheckEncryption(host, data, EncryptionOptions{})
	case "audit-webhook-config-file", "authorization-webhook-config-file", "authentication-token-webhook-config-file":
		_, err := kubeconfig.Load(host)
		return err
	case "client-ca-file", "etcd-cafile", "requestheader-client-ca-file", "kubelet-certificate-authority", "oidc-ca-file", "peer-ca-file":
		if !x509.NewCertPool().AppendCertsFromPEM(data) {
			return fmt.Errorf("%q has no certificate in PEM", host)
		}
	case "service-account-key-file", "service-account-signing-key-file":
		if block, _ := pem.Decode(data); block == nil || !strings.HasSuffix(block.Type, "KEY") && block.Type != "CERTIFICATE" {
			return fmt.Errorf("%q has no key in PEM", host)
		}
	}
	return nil
}

// checkKind checks that a file has an object of a kind. It may have secrets, so
// that what the decoder says of it is not told.
func checkKind(host string, data []byte, kind string) error {
	var object struct {
		Kind string `json:"kind"`
	}
	switch err := yaml.Unmarshal(data, &object); {
	case err != nil:
		return fmt.Errorf("%q is not valid YAML", host)
	case object.Kind != kind:
		return fmt.Errorf("%q is no %s, but has kind %q", host, kind, object.Kind)
	}
	return nil
}

// checkPairs checks that certificates and keys belong together.
func (c *checker) checkPairs() {
	for _, pair := range [][2]string{
		{"tls-cert-file", "tls-private-key-file"}, {"etcd-certfile", "etcd-keyfile"},
		{"kubelet-client-certificate", "kubelet-client-key"}, {"proxy-client-cert-file", "proxy-client-key-file"},
	} {
		cert, hasCert := c.Value(pair[0])
		key, hasKey := c.Value(pair[1])
		if hasCert != hasKey {
			c.add("set both, or none", "--%s and --%s go together", pair[0], pair[1])
		}
		certFile, certSeen := c.HostPath(cert)
		keyFile, keySeen := c.HostPath(key)
		if !certSeen || !keySeen {
			continue
		}
		certPEM, certErr := c.read(certFile)
		keyPEM, keyErr := c.read(keyFile)
		if certErr != nil || keyErr != nil {
			continue // which is found above
		}
		if _, err := tls.X509KeyPair(certPEM, keyPEM); err != nil {
			c.add("put the right pair there", "certificate %q and key %q are no pair: %s", certFile, keyFile, strings.TrimPrefix(err.Error(), "tls: "))
		}
	}
}

// checkVolumes checks what the kubelet would not start the pod with.
func (c *checker) checkVolumes() {
	names := map[string]bool{}
	for _, v := range c.Component.Pod.Spec.Volumes {
		if names[v.Name] {
			c.add("give each a name of its own", "there are two volumes %q", v.Name)
		}
		names[v.Name] = true
		if v.HostPath != nil {
			c.checkHostPath(v)
		}
	}
	paths := map[string]bool{}
	for _, mount := range c.Component.Container.VolumeMounts {
		at := path.Clean("/" + mount.MountPath)
		if paths[at] {
			c.add("take one of them out", "two volumes are mounted at %q", at)
		}
		if paths[at] = true; !names[mount.Name] {
			c.add("add the volume", "volume %q, mounted at %q, is not there", mount.Name, at)
		}
	}
}

// checkHostPath checks a path of the host as the kubelet does before it starts
// the pod (k8s.io/kubernetes/pkg/volume/hostpath).
func (c *checker) checkHostPath(v corev1.Volume) {
	file := v.HostPath.Path
	want := corev1.HostPathUnset
	if v.HostPath.Type != nil {
		want = *v.HostPath.Type
	}
	if want != corev1.HostPathFile && want != corev1.HostPathDirectory {
		return
	}
	info, err := os.Stat(file)
	switch {
	case c.isMade(file, want == corev1.HostPathDirectory):
	case err != nil && errors.Is(err, fs.ErrNotExist):
		c.found = append(c.found, Problem{
			Message: fmt.Sprintf("volume %q wants a %s at %q, which is not there", v.Name, want, file), Hint: "put it there first", missing: file,
		})
	case err != nil: // that it cannot be looked at says nothing of the kubelet
	case info.IsDir() != (want == corev1.HostPathDirectory):
		c.add("say what it is in the volume's type", "volume %q wants a %s at %q, which is none", v.Name, want, file)
	}
}

// isMade says whether a file or directory will be made, such as the directory of
// a file that will be.
func (c *checker) isMade(file string, isDir bool) bool {
	for at, made := range c.made {
		if at == file && made.Dir == isDir || isDir && at != file && staticpod.IsBelow(at, file) {
			return true
		}
	}
	return false
}
