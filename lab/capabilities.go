package lab

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/pkictl/pkictl/internal/failure"
)

// allCapability stands for all capabilities, in add and in drop.
const allCapability = "ALL"

// linuxCapabilities are those of Linux 6 (include/uapi/linux/capability.h).
func linuxCapabilities() []string {
	return []string{
		"AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH",
		"FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN",
		"NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT",
		"SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM",
	}
}

// runtimeCapabilities are what containerd gives a container that asks for nothing
// (containerd, pkg/oci/spec.go, defaultUnixCaps).
func runtimeCapabilities() []string {
	return []string{
		"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP",
		"SETUID", "SYS_CHROOT",
	}
}

// capabilityFault says why no container starts with a capability of that name: the
// runtime puts CAP_ before it, and knows no CAP_CAP_SYS_TIME.
func capabilityFault(name string) string {
	plain := strings.ToUpper(name)
	known := linuxCapabilities()
	if plain == allCapability || slices.Contains(known, plain) {
		return ""
	}
	if short, has := strings.CutPrefix(plain, "CAP_"); has {
		return fmt.Sprintf("the capability %s is written %s here: the runtime puts CAP_ before it", name, short)
	}
	return strings.TrimSuffix(fmt.Sprintf("there is no capability %q; %s", name, failure.Suggest(plain, known)), "; ")
}

// capabilitiesOf returns what a container may do: as containerd applies the lists
// (internal/cri/server/container_create_linux.go), ALL of add, then ALL of drop, then
// the names in add, then those in drop. Upper and lower case are the same to it.
func capabilitiesOf(lists *corev1.Capabilities, privileged bool) []string {
	if privileged {
		return linuxCapabilities()
	}
	has := runtimeCapabilities()
	if lists == nil {
		return has
	}
	add, drop := upper(lists.Add), upper(lists.Drop)
	if slices.Contains(add, allCapability) {
		has = linuxCapabilities()
	}
	if slices.Contains(drop, allCapability) {
		has = []string{}
	}
	for _, name := range add {
		if name != allCapability && !slices.Contains(has, name) {
			has = append(has, name)
		}
	}
	slices.Sort(has)
	return slices.DeleteFunc(has, func(name string) bool { return slices.Contains(drop, name) })
}

func upper(list []corev1.Capability) []string {
	var names []string
	for _, name := range list {
		names = append(names, strings.ToUpper(string(name)))
	}
	return names
}
