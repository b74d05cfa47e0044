package cluster

import (
	"cmp"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// UpOptions say which cluster directory to run, and how. All but the functions
// goes through JSON to a keeper, see Launch.
type UpOptions struct {
	// Dir is the cluster directory, like /etc/kubernetes on a node. Its PKI is in
	// Dir/pki; the run keeps its things in Dir/run.
	Dir string `json:"dir"`
	// Ports on 127.0.0.1. Where one is zero, a free one is chosen.
	Ports  Ports  `json:"ports"`
	Assets Assets `json:"assets"` // from FindAssets
	// ExtraArgs are flags as in Config, see ParseSet.
	ExtraArgs map[string][]string `json:"extraArgs,omitempty"`
	// WithoutControllerManager leaves out kube-controller-manager, which envtest
	// does not ship.
	WithoutControllerManager bool `json:"withoutControllerManager,omitempty"`
	// UnsafeNoFsync is as in Config.
	UnsafeNoFsync bool `json:"unsafeNoFsync,omitempty"`
	// Agent is the User-Agent, as in pkictl/v1.0.0.
	Agent string `json:"agent,omitempty"`

	Now time.Time `json:"-"`
	// Progress is told what begins, and with done what has ended. It may be nil.
	Progress func(step string, done bool) `json:"-"`
}

// DefaultPorts are those of kubeadm.
var DefaultPorts = Ports{APIServer: DefaultPort, Etcd: 2379, EtcdPeer: 2380, ControllerManager: 10257}

// same says whether two runs would be the same.
func (o UpOptions) same(other UpOptions) bool {
	if o.Ports != other.Ports || o.Assets != other.Assets ||
		o.WithoutControllerManager != other.WithoutControllerManager || o.UnsafeNoFsync != other.UnsafeNoFsync {
		return false
	}
	for _, name := range componentNames() {
		if !slices.Equal(o.ExtraArgs[name], other.ExtraArgs[name]) {
			return false
		}
	}
	return true
}

// absolute makes the paths those of any working directory.
func (o UpOptions) absolute() (UpOptions, error) {
	abs, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, diskError(err, "use directory %q", o.Dir)
	}
	o.Dir = abs
	return o, nil
}

func (o UpOptions) pki() string { return PKIDir(o.Dir) }

func (o UpOptions) progress(step string, done bool) {
	if o.Progress != nil {
		o.Progress(step, done)
	}
}

// instead returns what sets a flag of a component that all of the run follows,
// empty for other flags.
func instead(component, flag string) string {
	switch component + "." + flag {
	case "etcd.data-dir", "kube-controller-manager.kubeconfig":
		return "another cluster directory"
	case "etcd.listen-client-urls", "etcd.advertise-client-urls", "kube-apiserver.etcd-servers":
		return "--etcd-port"
	case "etcd.listen-peer-urls", "etcd.initial-advertise-peer-urls", "etcd.initial-cluster":
		return "--etcd-peer-port"
	case "kube-apiserver.secure-port":
		return "--port"
	case "kube-controller-manager.secure-port":
		return "--controller-manager-port"
	}
	return ""
}

// ParseSet reads COMPONENT.FLAG=VALUE, such as kube-apiserver.v=4, and returns
// the component and its flag in the form --FLAG=VALUE. An unknown component, or
// another form, is wrong usage.
func ParseSet(text string) (component, arg string, err error) {
	name, value, hasValue := strings.Cut(text, "=")
	component, flag, hasFlag := strings.Cut(name, ".")
	const form = "write it like kube-apiserver.v=4"
	switch {
	case !hasFlag || !hasValue || flag == "" || component == "":
		return "", "", failure.New(failure.Usage, form, "%q does not have the form COMPONENT.FLAG=VALUE", text)
	case !slices.Contains(componentNames(), component):
		hint := "the components are " + strings.Join(componentNames(), ", ")
		if similar := failure.Closest(component, componentNames()); similar != "" {
			hint = "did you mean " + similar + "? " + hint
		}
		return "", "", failure.New(failure.Usage, hint, "there is no component %q", component)
	case !isFlagName(flag):
		return "", "", failure.New(failure.Usage, form, "%q is not the name of a flag", flag)
	}
	if other := instead(component, flag); other != "" {
		return "", "", failure.New(failure.Usage, "use "+other, "the flag %s of %s cannot be set", flag, component)
	}
	return component, "--" + flag + "=" + value, nil
}

// isFlagName says whether a name is one that a flag of Kubernetes or etcd can have.
func isFlagName(name string) bool {
	for i, r := range name {
		isWord := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !isWord && (i == 0 || r != '-' && r != '.') {
			return false
		}
	}
	return name != ""
}

// ParsePort reads a port, or "auto", which is zero.
func ParsePort(text string) (int, error) {
	if text == "auto" {
		return 0, nil
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, failure.New(failure.Usage, "write a number from 1 to 65535, or auto", "%q is not a port", text)
	}
	return port, nil
}

// checkPorts refuses two of the same number.
func (o UpOptions) checkPorts() error {
	seen := map[int]string{}
	for _, p := range o.Ports.list() {
		if other := seen[p.port]; other != "" && p.port != 0 {
			return failure.New(failure.Usage, "give each a port of its own", "port %d is meant for both %s and %s", p.port, other, p.component)
		}
		seen[p.port] = cmp.Or(seen[p.port], p.component)
	}
	return nil
}

// wanted is a port and who listens on it.
type wanted struct {
	component string
	port      int
}

func (p Ports) list() []wanted {
	return []wanted{
		{ComponentEtcd, p.Etcd}, {ComponentEtcd, p.EtcdPeer}, {ComponentAPIServer, p.APIServer}, {ComponentControllerManager, p.ControllerManager},
	}
}
