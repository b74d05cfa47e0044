package networkpolicy

import (
	"fmt"
	"net/netip"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Verdict says whether a connection is allowed: both ends have to let it pass.
type Verdict struct {
	Egress, Ingress Side
}

// Allowed says whether the connection can be made.
func (v Verdict) Allowed() bool { return v.Egress.Allowed && v.Ingress.Allowed }

// Why says in words what decides.
func (v Verdict) Why() string {
	switch {
	case !v.Egress.Allowed && !v.Ingress.Allowed:
		return v.Egress.Why + "; " + v.Ingress.Why
	case !v.Egress.Allowed:
		return v.Egress.Why
	case !v.Ingress.Allowed:
		return v.Ingress.Why
	// Where one end has a rule, or policies apply to one end alone, the other says little.
	case v.Egress.Why == v.Ingress.Why, v.Egress.Rule != "" && v.Ingress.Rule == "", v.Ingress.outside && !v.Egress.outside:
		return v.Egress.Why
	case v.Ingress.Rule != "" && v.Egress.Rule == "", v.Egress.outside && !v.Ingress.outside:
		return v.Ingress.Why
	}
	return v.Egress.Why + ", and " + v.Ingress.Why
}

// Side is what is decided at one end: of the egress of the pod that connects, or of
// the ingress of the one that it connects to.
type Side struct {
	Allowed bool
	// Isolating are the policies that select the pod for this direction, as
	// NAMESPACE/NAME.
	Isolating []string
	// Rule is the first that allows it, as in "web/allow, spec.ingress[0]". It is empty
	// where no rule was needed.
	Rule string
	Why  string

	outside bool // no policy can apply
}

// Evaluate decides about a connection.
func (e *Evaluator) Evaluate(c Connection) Verdict {
	if c.From.Pod != nil && c.To.Pod != nil && c.From.Pod.String() == c.To.Pod.String() {
		// "A Pod cannot block access to itself."
		itself := Side{Allowed: true, Why: "no policy keeps a pod from itself"}
		return Verdict{itself, itself}
	}
	return Verdict{e.side(egress, c.From, c.To, c), e.side(ingress, c.To, c.From, c)}
}

// side decides for one of the ends, which connects to the other, or from it.
func (e *Evaluator) side(d direction, end, other End, c Connection) Side {
	switch {
	case !end.selectable():
		return Side{Allowed: true, outside: true, Why: fmt.Sprintf("no policy applies to the %s of %s, which is outside the pod network", d, end)}
	case other.onNodeOf(end.Pod):
		// "Traffic to and from the node where a Pod is running is always allowed,
		// regardless of the IP address of the Pod or the node."
		return Side{Allowed: true, Why: fmt.Sprintf("no policy keeps %s from its own node", end)}
	}
	var s Side
	for _, p := range e.policies {
		if !p.isolates[d] || p.namespace != end.Pod.Namespace || !p.pods.Matches(labels.Set(end.Pod.Labels)) {
			continue
		}
		s.Isolating = append(s.Isolating, p.String())
		for i := range p.rules[d] {
			if s.Rule == "" && e.allows(p, &p.rules[d][i], other, c) {
				s.Allowed, s.Rule = true, fmt.Sprintf("%s, spec.%s[%d]", p, d, i)
			}
		}
	}
	switch {
	case len(s.Isolating) == 0:
		s.Allowed, s.Why = true, fmt.Sprintf("no policy selects %s for %s", end, d)
	case s.Allowed:
		s.Why = "NetworkPolicy " + s.Rule + " allows it"
	default:
		s.Why = fmt.Sprintf("no rule allows it among the %s rules of %s", d, policies(s.Isolating))
	}
	return s
}

func policies(names []string) string {
	if len(names) == 1 {
		return "NetworkPolicy " + names[0]
	}
	return "NetworkPolicies " + strings.Join(names, ", ")
}

// allows says whether a rule of a policy lets a connection with the other end pass.
func (e *Evaluator) allows(p *policy, r *rule, other End, c Connection) bool {
	if !portAllowed(r.ports, c) {
		return false
	}
	if r.all {
		return true
	}
	for i := range r.peers {
		if e.isPeer(p, &r.peers[i], other) {
			return true
		}
	}
	return false
}

// isPeer says whether an end is one that an element of from or to stands for. That a
// block holds a pod's address counts: the API says that blocks should be outside the
// cluster, not that they do not apply in it.
func (e *Evaluator) isPeer(p *policy, peer *peer, end End) bool {
	if peer.block != nil {
		return peer.block.contains(end.IP)
	}
	if !end.selectable() || !peer.pods.Matches(labels.Set(end.Pod.Labels)) {
		return false
	}
	if peer.namespaces == nil {
		return end.Pod.Namespace == p.namespace
	}
	return peer.namespaces.Matches(e.namespaces[end.Pod.Namespace])
}

func (b *block) contains(ip netip.Addr) bool {
	if !b.cidr.Contains(ip) {
		return false
	}
	for _, except := range b.except {
		if except.Contains(ip) {
			return false
		}
	}
	return true
}

// portAllowed says whether a connection goes to one of the ports. None stand for all.
func portAllowed(ports []networkingv1.NetworkPolicyPort, c Connection) bool {
	for i := range ports {
		if protocolOf(&ports[i]) == c.Protocol && numberAllowed(&ports[i], c) {
			return true
		}
	}
	return len(ports) == 0
}

func numberAllowed(port *networkingv1.NetworkPolicyPort, c Connection) bool {
	switch {
	case port.Port == nil:
		return true
	case port.Port.Type == intstr.String:
		return c.To.names(port.Port.StrVal, c)
	case port.EndPort != nil:
		return port.Port.IntVal <= c.Port && c.Port <= *port.EndPort
	}
	return port.Port.IntVal == c.Port
}

// names says whether a pod calls the port of a connection by a name. An address has
// no names for its ports.
func (e End) names(name string, c Connection) bool {
	if !e.selectable() {
		return false
	}
	for _, port := range e.Pod.Ports {
		if port.Name == name && port.Number == c.Port && port.Protocol == c.Protocol {
			return true
		}
	}
	return false
}
