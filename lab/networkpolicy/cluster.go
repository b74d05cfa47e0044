// Package networkpolicy decides whether one end may connect to another under the
// NetworkPolicies (networking.k8s.io/v1) of a cluster, and says why. It is a reading of
// the API's documentation, not of any network plugin: what that leaves to the plugin
// is said where it is decided.
package networkpolicy

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Cluster is what policies are evaluated in.
type Cluster struct {
	Namespaces []Namespace
	Pods       []Pod
}

// Namespace is a namespace with its labels. The label kubernetes.io/metadata.name is
// the API server's, and need not be given.
type Namespace struct {
	Name   string
	Labels map[string]string
}

// Pod is a pod as policies see it.
type Pod struct {
	Namespace, Name string
	Labels          map[string]string
	IPs             []netip.Addr // one of each family at most; those of its node if it has HostNetwork
	Ports           []Port       // that its containers name
	// HostNetwork pods are selected by no policy and are no peer to a selector: what
	// they send and receive is traffic of their node. The API leaves that undefined;
	// this is what its documentation calls the common case.
	HostNetwork bool
	Node        []netip.Addr // the addresses of the node that it runs on
}

// Port is a container's port that has a name.
type Port struct {
	Name     string
	Number   int32
	Protocol corev1.Protocol
}

// String calls a pod as kubectl does, with its namespace.
func (p *Pod) String() string { return p.Namespace + "/" + p.Name }

// End is an end of a connection: a pod, by the address that it uses, or an address
// outside the cluster.
type End struct {
	Pod *Pod // nil for what is no pod
	IP  netip.Addr
}

// String returns the pod's name, or the address.
func (e End) String() string {
	if e.Pod != nil {
		return e.Pod.String()
	}
	return e.IP.String()
}

// selectable says whether it is a pod that selectors know.
func (e End) selectable() bool { return e.Pod != nil && !e.Pod.HostNetwork }

// onNodeOf says whether an end is the node that a pod runs on.
func (e End) onNodeOf(p *Pod) bool {
	return p != nil && !e.selectable() && slices.Contains(p.Node, e.IP)
}

// Connection is what is asked about.
type Connection struct {
	From, To End
	Port     int32 // the destination's, behind every service
	Protocol corev1.Protocol
}

// String says who connects where, as in "web/a to web/db:5432/TCP".
func (c Connection) String() string {
	return fmt.Sprintf("%s to %s", c.From, c.Target())
}

// Target is where it goes, as in "web/db:5432/TCP".
func (c Connection) Target() string {
	if c.To.Pod == nil && c.To.IP.Is6() {
		return fmt.Sprintf("[%s]:%d/%s", c.To, c.Port, c.Protocol)
	}
	return fmt.Sprintf("%s:%d/%s", c.To, c.Port, c.Protocol)
}

// namespaceLabels returns the labels of each namespace.
func (c *Cluster) namespaceLabels() map[string]labels.Set {
	all := make(map[string]labels.Set, len(c.Namespaces))
	for _, namespace := range c.Namespaces {
		set := labels.Merge(namespace.Labels, labels.Set{corev1.LabelMetadataName: namespace.Name})
		all[namespace.Name] = set
	}
	return all
}
