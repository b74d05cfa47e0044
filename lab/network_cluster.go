package lab

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"

	"github.com/pkictl/pkictl/internal/yamlfile"
	"github.com/pkictl/pkictl/lab/networkpolicy"
)

// networkCluster is the cluster in which policies are graded.
type networkCluster struct {
	networkpolicy.Cluster
	outside map[string]netip.Addr
}

// maxEnds is how many pods, and how many addresses outside, a cluster may have, and
// maxPorts how many ports a list: a lab from a stranger is not to take all memory.
const (
	maxEnds  = 500
	maxPorts = 100
)

// outsideCluster stands for a namespace in the names of addresses outside the cluster.
const outsideCluster = "outside"

// templateHash is the label by which a Deployment tells its ReplicaSets' pods apart.
const templateHash = "pod-template-hash"

// clusterReader reads the description of a cluster:
//
//	namespaces:
//	  shop: {team: shop}    # labels
//	pods:
//	- name: shop/cart-0
//	  labels: {app: cart}
//	  ip: 10.244.1.5        # or [10.244.1.5, fd00::5]
//	  ports: {http: 8080, dns: 53/UDP}
//	  node: 192.168.0.11    # the address of its node
//	  hostNetwork: true
//	outside:
//	  internet: 203.0.113.9 # known as outside/internet
type clusterReader struct {
	yamlfile.File
	c *networkCluster
}

func readNetworkCluster(data []byte, lab string) (*networkCluster, error) {
	r := &clusterReader{yamlfile.File{Name: "the cluster of " + lab, Hint: loadHint}, &networkCluster{outside: map[string]netip.Addr{}}}
	root, err := r.Root(data)
	if err != nil {
		return nil, err
	}
	if err := r.Check(root); err != nil {
		return nil, err
	}
	var pods *yaml.Node
	err = r.Mapping(root, "the cluster",
		yamlfile.Key{Name: "namespaces", Read: r.namespaces},
		yamlfile.Key{Name: "pods", Read: func(n *yaml.Node) error { pods = n; return nil }},
		yamlfile.Key{Name: "outside", Read: r.outside},
	)
	if err != nil {
		return nil, err
	}
	if pods == nil || pods.Kind != yaml.SequenceNode {
		return nil, r.ErrorAt(root, "write - name: NAMESPACE/POD with its fields below it", "the cluster has no list of pods")
	}
	if len(pods.Content) > maxEnds || len(r.c.outside) > maxEnds {
		return nil, r.ErrorAt(pods, "leave out what shows nothing new", "the cluster has more than %d pods, or addresses outside", maxEnds)
	}
	for _, n := range pods.Content {
		if err := r.pod(n); err != nil {
			return nil, err
		}
	}
	return r.c, nil
}

func (r *clusterReader) namespaces(n *yaml.Node) error {
	return r.Entries(n, "namespaces", func(key, value *yaml.Node) error {
		if key.Value == outsideCluster {
			return r.ErrorAt(key, "call it something else", "%s stands for what is outside the cluster", outsideCluster)
		}
		labels, err := r.labels(value)
		r.c.Namespaces = append(r.c.Namespaces, networkpolicy.Namespace{Name: key.Value, Labels: labels})
		return err
	})
}

func (r *clusterReader) labels(n *yaml.Node) (map[string]string, error) {
	labels := map[string]string{}
	return labels, r.Entries(n, "labels", func(key, value *yaml.Node) error {
		if value.Kind != yaml.ScalarNode {
			return r.ErrorAt(value, "write one value", "label %s is not a text", key.Value)
		}
		labels[key.Value] = value.Value
		return nil
	})
}

func (r *clusterReader) outside(n *yaml.Node) error {
	return r.Entries(n, "outside", func(key, value *yaml.Node) error {
		ip, err := r.address(value)
		r.c.outside[key.Value] = ip
		return err
	})
}

func (r *clusterReader) address(n *yaml.Node) (netip.Addr, error) {
	ip, err := netip.ParseAddr(n.Value)
	if err != nil || ip.Zone() != "" {
		return ip, r.ErrorAt(n, "write it as in 10.244.1.5", "%q is no address", n.Value)
	}
	return ip.Unmap(), nil
}

// addresses reads one, or a list.
func (r *clusterReader) addresses(to *[]netip.Addr) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		list := []*yaml.Node{n}
		if n.Kind == yaml.SequenceNode {
			list = n.Content
		}
		for _, n := range list {
			ip, err := r.address(n)
			if err != nil {
				return err
			}
			*to = append(*to, ip)
		}
		if len(*to) > 2 {
			return r.ErrorAt(n, "write one of each family", "there are more than two addresses")
		}
		return nil
	}
}

func (r *clusterReader) pod(n *yaml.Node) error {
	var pod networkpolicy.Pod
	var name string
	err := r.Mapping(n, "a pod",
		yamlfile.Key{Name: "name", Read: func(n *yaml.Node) (err error) { name, err = r.Text(n, "name"); return err }},
		yamlfile.Key{Name: "labels", Read: func(n *yaml.Node) (err error) { pod.Labels, err = r.labels(n); return err }},
		yamlfile.Key{Name: "ip", Read: r.addresses(&pod.IPs)},
		yamlfile.Key{Name: "node", Read: r.addresses(&pod.Node)},
		yamlfile.Key{Name: "ports", Read: func(n *yaml.Node) error { return r.ports(n, &pod.Ports) }},
		yamlfile.Key{Name: "hostNetwork", Read: func(n *yaml.Node) (err error) { pod.HostNetwork, err = r.Boolean(n, "hostNetwork"); return err }},
	)
	if err != nil {
		return err
	}
	pod.Namespace, pod.Name, _ = strings.Cut(name, "/")
	switch {
	case pod.Name == "" || len(pod.IPs) == 0:
		return r.ErrorAt(n, "write name: NAMESPACE/POD and ip: 10.244.1.5", "a pod has no name or no ip")
	case !r.c.hasNamespace(pod.Namespace):
		return r.ErrorAt(n, "list it below namespaces, above the pods", "there is no namespace %q", pod.Namespace)
	case r.c.pod(name) != nil:
		return r.ErrorAt(n, "give it another name", "there are two pods %q", name)
	}
	r.c.Pods = append(r.c.Pods, pod)
	return nil
}

func (r *clusterReader) ports(n *yaml.Node, to *[]networkpolicy.Port) error {
	return r.Entries(n, "ports", func(key, value *yaml.Node) error {
		port, ok := parsePort(value.Value)
		if !ok {
			return r.ErrorAt(value, "write it as in 80 or 53/UDP", "%q is no port", value.Value)
		}
		port.Name = key.Value
		*to = append(*to, port)
		return nil
	})
}

// parsePort reads 80, 80/TCP, 53/UDP.
func parsePort(text string) (port networkpolicy.Port, ok bool) {
	number, protocol, named := strings.Cut(text, "/")
	if !named {
		protocol = string(corev1.ProtocolTCP)
	}
	n, err := strconv.ParseUint(number, 10, 16)
	port.Number, port.Protocol = int32(n), corev1.Protocol(protocol)
	return port, err == nil && n > 0 && slices.Contains(networkpolicy.Protocols(), port.Protocol)
}

func (c *networkCluster) hasNamespace(name string) bool {
	return slices.ContainsFunc(c.Namespaces, func(n networkpolicy.Namespace) bool { return n.Name == name })
}

// pod returns the pod that is called NAMESPACE/NAME, nil if there is none.
func (c *networkCluster) pod(name string) *networkpolicy.Pod {
	for i := range c.Pods {
		if c.Pods[i].String() == name {
			return &c.Pods[i]
		}
	}
	return nil
}

// call says who an end is: a pod with its labels, for policies know pods by these. The
// hash that a Deployment adds is left out.
func (c *networkCluster) call(end networkpolicy.End) string {
	if end.Pod != nil {
		var labels []string
		for _, key := range slices.Sorted(maps.Keys(end.Pod.Labels)) {
			if key != templateHash {
				labels = append(labels, key+"="+end.Pod.Labels[key])
			}
		}
		if len(labels) == 0 {
			return end.String() + " (no labels)"
		}
		return fmt.Sprintf("%s (%s)", end, strings.Join(labels, ", "))
	}
	for name, ip := range c.outside {
		if ip == end.IP {
			return fmt.Sprintf("%s (%s)", end, name)
		}
	}
	return end.String()
}

// target says where a connection goes.
func (c *networkCluster) target(connection networkpolicy.Connection) string {
	return fmt.Sprintf("%s on %s %d", c.call(connection.To), connection.Protocol, connection.Port)
}
