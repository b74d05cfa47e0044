package apiserver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
)

// kubeadmV1beta4Since is the first version whose kubeadm reads v1beta4.
var kubeadmV1beta4Since = Version{1, 31}

// kubeadmMounts are mounted by kubeadm in any case
// (k8s.io/kubernetes/cmd/kubeadm/app/phases/controlplane/volumes.go).
var kubeadmMounts = []string{"/etc/kubernetes/pki", "/etc/ssl/certs"}

// kubeadmPlugins are the admission plugins that kubeadm enables, unless
// extraArgs say which (cmd/kubeadm/app/phases/controlplane/manifests.go).
const kubeadmPlugins = "NodeRestriction"

// kubeadmFlags are those that kubeadm sets (the same file, getAPIServerCommand).
var kubeadmFlags = []string{
	"advertise-address", "allow-privileged", "authorization-mode", "client-ca-file", "enable-admission-plugins", "enable-bootstrap-token-auth",
	"etcd-cafile", "etcd-certfile", "etcd-keyfile", "etcd-servers", "kubelet-client-certificate", "kubelet-client-key",
	"kubelet-preferred-address-types", "proxy-client-cert-file", "proxy-client-key-file", "requestheader-allowed-names",
	"requestheader-client-ca-file", "requestheader-extra-headers-prefix", "requestheader-group-headers", "requestheader-username-headers",
	"secure-port", "service-account-issuer", "service-account-key-file", "service-account-signing-key-file", "service-cluster-ip-range",
	"tls-cert-file", "tls-private-key-file",
}

// podVolumes are the volumes that a static pod of kubeadm does not have.
func (p *Plan) podVolumes() []Volume {
	return slices.DeleteFunc(slices.Clone(p.Volumes), func(v Volume) bool {
		return v.ReadOnly && slices.ContainsFunc(kubeadmMounts, func(dir string) bool { return staticpod.IsBelow(v.Path, dir) })
	})
}

// kubeadm writes a ClusterConfiguration. Its extraArgs take the place of
// kubeadm's own flags of the same name; with --authorization-config kubeadm
// leaves --authorization-mode out.
func (p *Plan) kubeadm() ([]byte, error) {
	if !p.Version.AtLeast(kubeadmV1beta4Since) {
		return nil, failure.New(failure.Usage, "take -o kubeadm-patch or -o static-pod", "kubeadm %s does not read kubeadm.k8s.io/v1beta4", p.Version)
	}
	for _, name := range p.Remove {
		if name != "authorization-mode" && slices.Contains(kubeadmFlags, name) {
			return nil, failure.New(failure.Usage, "set it to another value", "kubeadm sets --%s in any case, and extraArgs cannot take it away", name)
		}
	}
	var b strings.Builder
	b.WriteString("# Merge into your kubeadm configuration, for kubeadm init or kubeadm upgrade.\n")
	b.WriteString("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\napiServer:\n  extraArgs:\n")
	for _, flag := range p.Set {
		value := flag.Value
		if flag.Add && flag.Name == "enable-admission-plugins" {
			value = strings.Join(unique(append([]string{kubeadmPlugins}, strings.Split(value, ",")...)), ",")
		}
		writeComment(&b, "  ", flag)
		fmt.Fprintf(&b, "  - name: %s\n    value: %s\n", flag.Name, quoted(value))
	}
	if volumes := p.podVolumes(); len(volumes) > 0 {
		b.WriteString("  extraVolumes:\n")
		for _, v := range volumes {
			fmt.Fprintf(&b, "  - name: %s\n    hostPath: %s\n    mountPath: %s\n    readOnly: %t\n    pathType: %s\n", v.Name, yamlText(v.Path), yamlText(v.Path), v.ReadOnly, v.Type)
		}
	}
	return []byte(b.String()), nil
}

// kubeadmPatch writes a JSON patch (RFC 6902). A strategic merge patch would put
// its list of flags in the place of kubeadm's: command has no merge key
// (k8s.io/api/core/v1, Container).
func (p *Plan) kubeadmPatch() ([]byte, error) {
	hint := "take -o kubeadm, whose extraArgs take the place of kubeadm's flags"
	for _, name := range p.Remove {
		if slices.Contains(kubeadmFlags, name) {
			return nil, failure.New(failure.Usage, hint, "kubeadm sets --%s, and a patch can only add flags", name)
		}
	}
	var b strings.Builder
	b.WriteString("# Save as kube-apiserver+json.yaml in a directory, and name that with kubeadm's\n# --patches, or patches.directory where it has a --config.\n")
	for _, flag := range p.Set {
		value := flag.Value
		if slices.Contains(kubeadmFlags, flag.Name) {
			if !flag.Add {
				return nil, failure.New(failure.Usage, hint, "kubeadm sets --%s, and a patch can only add flags", flag.Name)
			}
			// Given twice, both lists count.
			value = strings.Join(slices.DeleteFunc(strings.Split(value, ","), func(item string) bool { return item == kubeadmPlugins }), ",")
			if value == "" {
				continue
			}
		}
		writeComment(&b, "", flag)
		fmt.Fprintf(&b, "- {op: add, path: /spec/containers/0/command/-, value: %s}\n", quoted("--"+flag.Name+"="+value))
	}
	for _, v := range p.podVolumes() {
		fmt.Fprintf(&b, "- {op: add, path: /spec/containers/0/volumeMounts/-, value: {name: %s, mountPath: %s, readOnly: %t}}\n", v.Name, quoted(v.Path), v.ReadOnly)
		fmt.Fprintf(&b, "- {op: add, path: /spec/volumes/-, value: {name: %s, hostPath: {path: %s, type: %s}}}\n", v.Name, quoted(v.Path), v.Type)
	}
	if !strings.Contains(b.String(), "- {") {
		b.WriteString("[] # kubeadm's own flags say all of it\n")
	}
	return []byte(b.String()), nil
}

// staticPod writes what to add to the manifest of a static pod.
func (p *Plan) staticPod() []byte {
	var b strings.Builder
	b.WriteString("# Add to /etc/kubernetes/manifests/kube-apiserver.yaml, in place of flags of the same name;\n")
	b.WriteString("# pkictl apiserver patch does so, and sees that it comes back.\n")
	if len(p.Remove) > 0 {
		b.WriteString("# Take out, where they are there: --" + strings.Join(p.Remove, ", --") + "\n")
	}
	b.WriteString("spec:\n  containers:\n  - name: " + Component + "\n    command:\n")
	for _, flag := range p.Set {
		writeComment(&b, "    ", flag)
		if flag.Add {
			b.WriteString("    # in addition to those that are there\n")
		}
		b.WriteString("    - " + yamlText(flag.String()) + "\n")
	}
	volumes := p.podVolumes()
	if len(volumes) == 0 {
		return []byte(b.String())
	}
	b.WriteString("    volumeMounts:\n")
	for _, v := range volumes {
		fmt.Fprintf(&b, "    - name: %s\n      mountPath: %s\n", v.Name, yamlText(v.Path))
		if v.ReadOnly {
			b.WriteString("      readOnly: true\n")
		}
	}
	b.WriteString("  volumes:\n")
	for _, v := range volumes {
		fmt.Fprintf(&b, "  - name: %s\n    hostPath:\n      path: %s\n      type: %s\n", v.Name, yamlText(v.Path), v.Type)
	}
	return []byte(b.String())
}

func writeComment(b *strings.Builder, indent string, flag Flag) {
	if flag.Why != "" {
		fmt.Fprintf(b, "%s# %s\n", indent, flag.Why)
	}
}

// quoted writes a string as YAML in double quotes, so that no value is taken for
// a number or a boolean, or ends a mapping in braces.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r >= 0x7f && r < 0xa0:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r == 0x2028 || r == 0x2029 || r == 0xfeff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
