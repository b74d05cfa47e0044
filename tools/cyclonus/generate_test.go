package cyclonus

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/pkictl/pkictl/lab/networkpolicy"
)

// generator makes clusters, policies and connections that are small enough to meet
// each other often. All that a policy can say is in it, but for what cyclonus gets
// wrong: differences_test.go has these.
type generator struct{ *rand.Rand }

// oneOf picks an element.
func oneOf[T any](g generator, list ...T) T { return list[g.IntN(len(list))] }

// sometimes is true once in n times.
func (g generator) sometimes(n int) bool { return g.IntN(n) == 0 }

func (g generator) cluster() networkpolicy.Cluster {
	var c networkpolicy.Cluster
	for i, name := range []string{"default", "shop", "data", "ops"} {
		labels := map[string]string{"env": oneOf(g, "prod", "test")}
		if g.sometimes(2) {
			labels["team"] = oneOf(g, "blue", "green", "")
		}
		c.Namespaces = append(c.Namespaces, networkpolicy.Namespace{Name: name, Labels: labels})
		for j := range 3 {
			pod := networkpolicy.Pod{Namespace: name, Name: fmt.Sprintf("pod-%d", j), Labels: g.podLabels(), Ports: g.ports()}
			ip := fmt.Sprintf("10.0.%d.%d", i, j+1)
			if g.sometimes(3) {
				ip = fmt.Sprintf("fd00::%d:%d", i, j+1)
			}
			pod.IPs = []netip.Addr{netip.MustParseAddr(ip)}
			c.Pods = append(c.Pods, pod)
		}
	}
	return c
}

func (g generator) podLabels() map[string]string {
	labels := map[string]string{"app": oneOf(g, "web", "api", "db")}
	if g.sometimes(2) {
		labels["tier"] = oneOf(g, "front", "back", "")
	}
	return labels
}

// ports gives no number and protocol two names: cyclonus is told one name.
func (g generator) ports() (ports []networkpolicy.Port) {
	for _, port := range []networkpolicy.Port{
		{Name: "http", Number: oneOf[int32](g, 80, 81), Protocol: corev1.ProtocolTCP},
		{Name: "dns", Number: 53, Protocol: oneOf(g, corev1.ProtocolUDP, corev1.ProtocolTCP)},
		{Name: "diameter", Number: oneOf[int32](g, 80, 8080), Protocol: corev1.ProtocolSCTP},
	} {
		if !g.sometimes(4) {
			ports = append(ports, port)
		}
	}
	return ports
}

func (g generator) policies() (policies []networkingv1.NetworkPolicy) {
	for i := range 1 + g.IntN(5) {
		p := networkingv1.NetworkPolicy{}
		p.Name, p.Namespace = fmt.Sprintf("policy-%d", i), oneOf(g, "", "default", "shop", "data", "ops")
		p.Spec.PodSelector = *g.selector("app", "tier")
		for range g.IntN(3) {
			p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{Ports: g.rulePorts(), From: g.peers()})
		}
		for range g.IntN(3) {
			p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{Ports: g.rulePorts(), To: g.peers()})
		}
		in, out := networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress
		p.Spec.PolicyTypes = oneOf(g, nil, nil, []networkingv1.PolicyType{in}, []networkingv1.PolicyType{out},
			[]networkingv1.PolicyType{in, out}, []networkingv1.PolicyType{out, in}, []networkingv1.PolicyType{out, out})
		policies = append(policies, p)
	}
	return policies
}

// selector selects by two keys, the first of which all carry.
func (g generator) selector(all, some string) *metav1.LabelSelector {
	values := map[string][]string{"app": {"web", "api", "db", "none"}, "tier": {"front", "back", ""}, "env": {"prod", "test", "none"}, "team": {"blue", "green", ""}}
	s := &metav1.LabelSelector{}
	for _, key := range []string{all, some} {
		if g.sometimes(4) {
			// Not the last, the empty value, which cyclonus finds where there is no label.
			of := values[key][:len(values[key])-1]
			metav1.AddLabelToSelector(s, key, oneOf(g, of...))
		}
		if !g.sometimes(4) {
			continue
		}
		of := values[key]
		r := metav1.LabelSelectorRequirement{Key: key, Operator: oneOf(g, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)}
		if key == all && g.sometimes(2) { // cyclonus has NotIn select nothing where there is no label
			r.Operator = metav1.LabelSelectorOpNotIn
		}
		if r.Operator == metav1.LabelSelectorOpIn || r.Operator == metav1.LabelSelectorOpNotIn {
			r.Values = of[g.IntN(len(of)):]
		}
		s.MatchExpressions = append(s.MatchExpressions, r)
	}
	if g.sometimes(6) && all == "env" {
		metav1.AddLabelToSelector(s, corev1.LabelMetadataName, oneOf(g, "shop", "data"))
	}
	return s
}

func (g generator) rulePorts() (ports []networkingv1.NetworkPolicyPort) {
	for range g.IntN(3) {
		var p networkingv1.NetworkPolicyPort
		if !g.sometimes(3) {
			p.Protocol = new(oneOf(g, networkpolicy.Protocols()...))
		}
		switch g.IntN(4) {
		case 0:
			p.Port = new(intstr.FromString(oneOf(g, "http", "dns", "diameter", "none")))
		case 1:
			p.Port = new(intstr.FromInt32(oneOf[int32](g, 53, 80, 8080)))
		case 2:
			first := oneOf[int32](g, 1, 53, 80, 81)
			p.Port, p.EndPort = new(intstr.FromInt32(first)), new(oneOf[int32](g, first, 81, 8080, 65535))
		}
		ports = append(ports, p)
	}
	return ports
}

func (g generator) peers() (peers []networkingv1.NetworkPolicyPeer) {
	for range g.IntN(3) {
		var p networkingv1.NetworkPolicyPeer
		switch g.IntN(4) {
		case 0:
			p.IPBlock = g.block()
		case 1:
			p.PodSelector = g.selector("app", "tier")
		case 2:
			p.NamespaceSelector = g.selector("env", "team")
		default:
			p.PodSelector, p.NamespaceSelector = g.selector("app", "tier"), g.selector("env", "team")
		}
		peers = append(peers, p)
	}
	return peers
}

func (g generator) block() *networkingv1.IPBlock {
	b := oneOf(g,
		networkingv1.IPBlock{CIDR: "0.0.0.0/0", Except: []string{"10.0.0.0/8", "192.0.2.8/29"}},
		networkingv1.IPBlock{CIDR: "10.0.0.0/16", Except: []string{"10.0.1.0/24", "10.0.2.2/32"}},
		networkingv1.IPBlock{CIDR: "::/0", Except: []string{"fd00::1:0/112"}},
		networkingv1.IPBlock{CIDR: "fd00::/16", Except: []string{"fd00::2:2/128"}},
		networkingv1.IPBlock{CIDR: "192.0.2.0/28", Except: []string{"192.0.2.9/32"}},
		networkingv1.IPBlock{CIDR: "10.0.0.1/32"},
	)
	b.Except = b.Except[:g.IntN(len(b.Except)+1)]
	return &b
}

// ends are all pods, and addresses outside.
func ends(c *networkpolicy.Cluster) (list []networkpolicy.End) {
	for i := range c.Pods {
		list = append(list, networkpolicy.End{Pod: &c.Pods[i], IP: c.Pods[i].IPs[0]})
	}
	for _, ip := range []string{"192.0.2.9", "203.0.113.5", "10.9.9.9", "2001:db8::1"} {
		list = append(list, networkpolicy.End{IP: netip.MustParseAddr(ip)})
	}
	return list
}
