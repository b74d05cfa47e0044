package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// mount makes ready what the container mounts, as the kubelet does (pkg/volume/hostpath)
// and the container runtime after it.
func (p *nodePod) mount() error {
	for _, m := range p.component.Container.VolumeMounts {
		for _, v := range p.component.Pod.Spec.Volumes {
			if v.Name != m.Name {
				continue
			}
			if v.HostPath == nil {
				return fmt.Errorf("volume %q: the node of a lab has hostPath volumes alone", v.Name)
			}
			if err := p.node.hostPath(v.HostPath); err != nil {
				return fmt.Errorf("MountVolume.SetUp failed for volume %q: %w", v.Name, err)
			}
		}
	}
	return nil
}

// onNode returns where a path of the node is below the workspace.
func onNode(hostPath string) (string, error) {
	if !path.IsAbs(hostPath) || slices.Contains(strings.Split(hostPath, "/"), "..") {
		return "", fmt.Errorf("%q is no absolute path, or has .. in it", hostPath)
	}
	return path.Join(nodeDir, path.Clean(hostPath)), nil
}

func (n *node) hostPath(source *corev1.HostPathVolumeSource) error {
	name, err := onNode(source.Path)
	if err != nil {
		return err
	}
	kind := corev1.HostPathUnset
	if source.Type != nil {
		kind = *source.Type
	}
	info, err := n.root.Stat(name)
	isMissing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !isMissing:
		return fmt.Errorf("%s leads out of the node, or cannot be read", source.Path)
	case kind == corev1.HostPathFile && (isMissing || !info.Mode().IsRegular()),
		kind == corev1.HostPathFileOrCreate && !isMissing && !info.Mode().IsRegular():
		return fmt.Errorf("hostPath type check failed: %s is not a file", source.Path)
	case kind == corev1.HostPathDirectory && (isMissing || !info.IsDir()),
		kind == corev1.HostPathDirectoryOrCreate && !isMissing && !info.IsDir():
		return fmt.Errorf("hostPath type check failed: %s is not a directory", source.Path)
	case isMissing && kind == corev1.HostPathFileOrCreate:
		return n.root.WriteFile(name, nil, 0o644)
	case isMissing && (kind == corev1.HostPathDirectoryOrCreate || kind == corev1.HostPathUnset):
		// Of a path of no type, it is the runtime that makes a directory.
		return n.root.MkdirAll(name, 0o755)
	case kind == corev1.HostPathSocket || kind == corev1.HostPathCharDev || kind == corev1.HostPathBlockDev:
		return fmt.Errorf("hostPath type check failed: %s is not a %s", source.Path, kind)
	}
	return nil
}

// refusedFlags name files that would name other files or programs in turn, which a
// process does not see through its mounts, or directories of programs that are run.
func refusedFlags() []string {
	return []string{
		"admission-control-config-file", "authorization-config", "authentication-config", "egress-selector-config-file", "tracing-config-file",
		"config-file", "enable-log-rotation", "log-rotation-config-json", // etcd
		"flex-volume-plugin-dir", // kube-controller-manager
	}
}

// flagName is the name of a flag as the programs know it: parts of Kubernetes take
// _ for - in it (k8s.io/component-base/cli/flag, WordSepNormalizeFunc).
func flagName(word string) string {
	return strings.ReplaceAll(strings.TrimLeft(word, "-"), "_", "-")
}

// command returns what the container runs, without its first word. Every absolute
// path in it is one that the container sees. There are no environment variables:
// etcd would take flags from them.
func (p *nodePod) command(scratch string) (words []string, err error) {
	container := p.component.Container
	if len(container.Env)+len(container.EnvFrom) > 0 {
		return nil, errors.New("env: the node of a lab has no environment variables")
	}
	all := slices.Concat(container.Command[1:], container.Args)
	for i, word := range all {
		name, value, isFlag := strings.Cut(word, "=")
		if isFlag = isFlag && strings.HasPrefix(word, "-"); !isFlag {
			name, value = "", word
			if i > 0 && !strings.Contains(all[i-1], "=") {
				name = all[i-1]
			}
		}
		if slices.Contains(refusedFlags(), flagName(name)) {
			return nil, fmt.Errorf("flag %s: the node of a lab does not have it", name)
		}
		seen, err := p.seen(name, value, scratch)
		if err != nil {
			return nil, err
		}
		if isFlag {
			seen = name + "=" + seen
		}
		words = append(words, seen)
	}
	return words, nil
}

// seen returns where a path of the container is on this machine: on the node where it
// is mounted, or else in the container's own root. What is no path stays as it is.
func (p *nodePod) seen(name, value, scratch string) (string, error) {
	if hidesPath(value) {
		return "", fmt.Errorf("%s: the node of a lab takes no such value as %q", name, value)
	}
	if !path.IsAbs(value) {
		return value, nil
	}
	host, mounted := p.component.HostPath(value)
	if !mounted {
		own := path.Join(scratch, path.Clean(value))
		if err := p.node.root.MkdirAll(path.Dir(own), 0o755); err != nil {
			return "", err
		}
		return filepath.Join(p.node.Dir, filepath.FromSlash(own)), nil
	}
	below, err := onNode(filepath.ToSlash(host))
	if err != nil {
		return "", err
	}
	if err := p.node.within(below, slices.Contains(writers(), flagName(name))); err != nil {
		return "", fmt.Errorf("%s: %s %w", name, host, err)
	}
	return filepath.Join(p.node.Dir, filepath.FromSlash(below)), nil
}

// hidesPath says whether a value has a path in it that seen would not find, which
// leads out of the container: by .., behind a comma, or in a URL of files or sockets,
// of which etcd removes what is there before it listens. Those of http and https, and
// ranges of addresses, are none.
func hidesPath(value string) bool {
	if slices.Contains(strings.Split(value, "/"), "..") {
		return true
	}
	for i, part := range strings.Split(value, ",") {
		if _, err := netip.ParsePrefix(part); err == nil {
			continue
		}
		part = strings.NewReplacer("http://", "", "https://", "").Replace(part)
		if i > 0 && path.IsAbs(part) {
			return true
		}
		for at := 1; at < len(part); at++ {
			if part[at] == '/' && !isOfName(part[at-1]) {
				return true
			}
		}
	}
	return false
}

// isOfName says whether a slash behind a character goes on with a path, and begins none.
func isOfName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("/._-", c) >= 0
}

// within refuses a path that leads out of the node, and a kubeconfig that would run a
// program or have another file read. A file that is written may be of any size.
func (n *node) within(name string, written bool) error {
	info, err := n.root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		if link, lerr := n.root.Lstat(name); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return errors.New("is a link to a file that is not there")
		}
		return nil
	}
	if err != nil {
		return errors.New("leads out of the node, or cannot be read")
	}
	if info.IsDir() || written && info.Mode().IsRegular() {
		return nil
	}
	data, err := readPlain(n.root, name, maxPodManifest)
	if err != nil {
		return err
	}
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil //nolint:nilerr // it is no kubeconfig
	}
	for _, user := range config.AuthInfos {
		if user.Exec != nil || user.AuthProvider != nil {
			return errors.New("would run a program for a credential")
		}
		if user.ClientCertificate+user.ClientKey+user.TokenFile != "" {
			return errors.New("names a file; the node of a lab takes kubeconfigs that have all in them")
		}
	}
	for _, server := range config.Clusters {
		if server.CertificateAuthority != "" {
			return errors.New("names a file; the node of a lab takes kubeconfigs that have all in them")
		}
	}
	return nil
}

// writers are flags of files that a process writes.
func writers() []string { return []string{"audit-log-path", "data-dir", "wal-dir", "cert-dir"} }

// readOnly says which file the process cannot write because its mount is read-only. A
// mount that is not there at all is no fault: the file is in the container.
func (p *nodePod) readOnly() error {
	container := p.component.Container
	for _, word := range slices.Concat(container.Command[1:], container.Args) {
		name, value, _ := strings.Cut(word, "=")
		if !slices.Contains(writers(), flagName(name)) || !path.IsAbs(value) {
			continue
		}
		if at := p.component.MountOf(path.Clean(value)); at >= 0 && container.VolumeMounts[at].ReadOnly {
			return fmt.Errorf("open %s: read-only file system", value)
		}
	}
	return nil
}
