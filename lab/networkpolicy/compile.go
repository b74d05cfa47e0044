package networkpolicy

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/pkictl/pkictl/internal/failure"
)

// Evaluator decides about connections in a cluster. It changes nothing, and may be
// used by several goroutines.
type Evaluator struct {
	namespaces map[string]labels.Set
	policies   []*policy
}

// policy is a NetworkPolicy whose selectors and addresses are parsed.
type policy struct {
	namespace, name string
	pods            labels.Selector
	isolates        [2]bool // by direction
	rules           [2][]rule
}

func (p *policy) String() string { return p.namespace + "/" + p.name }

type direction int

const (
	ingress direction = iota
	egress
)

func (d direction) String() string {
	if d == ingress {
		return "ingress"
	}
	return "egress"
}

// rule is an element of ingress or egress.
type rule struct {
	ports []networkingv1.NetworkPolicyPort // none: all
	peers []peer
	all   bool // there is no peer, which stands for all
}

// peer is an element of from or to: a block of addresses, or pods.
type peer struct {
	block      *block
	pods       labels.Selector // never nil where there is no block
	namespaces labels.Selector // nil for the policy's own
}

type block struct {
	cidr   netip.Prefix
	except []netip.Prefix
}

// New prepares policies for evaluation. One that an API server would not take is an
// error; one without a namespace belongs to default.
func New(cluster Cluster, policies []networkingv1.NetworkPolicy) (*Evaluator, error) {
	e := &Evaluator{namespaces: cluster.namespaceLabels()}
	for i := range policies {
		p, err := compile(&policies[i])
		if err != nil {
			return nil, err
		}
		e.policies = append(e.policies, p)
	}
	return e, nil
}

func compile(from *networkingv1.NetworkPolicy) (*policy, error) {
	p := &policy{namespace: from.Namespace, name: from.Name}
	if p.namespace == "" {
		p.namespace = metav1.NamespaceDefault
	}
	if faults := Validate(from); len(faults) > 0 {
		return nil, failure.Wrap(faults[0], failure.Finding, "", "NetworkPolicy %s", p)
	}
	var err error
	if p.pods, err = metav1.LabelSelectorAsSelector(&from.Spec.PodSelector); err != nil {
		return nil, failure.Wrap(err, failure.Finding, "", "NetworkPolicy %s", p)
	}
	for _, name := range typesOf(&from.Spec) {
		p.isolates[ingress] = p.isolates[ingress] || name == networkingv1.PolicyTypeIngress
		p.isolates[egress] = p.isolates[egress] || name == networkingv1.PolicyTypeEgress
	}
	for _, r := range from.Spec.Ingress {
		if err := p.add(ingress, r.Ports, r.From); err != nil {
			return nil, err
		}
	}
	for _, r := range from.Spec.Egress {
		if err := p.add(egress, r.Ports, r.To); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// typesOf returns the policy's types as the API server defaults them: Ingress always,
// Egress where there are such rules. An empty list of rules is none.
func typesOf(spec *networkingv1.NetworkPolicySpec) []networkingv1.PolicyType {
	switch {
	case len(spec.PolicyTypes) > 0:
		return spec.PolicyTypes
	case len(spec.Egress) > 0:
		return []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	}
	return []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
}

// add adds a rule.
func (p *policy) add(d direction, ports []networkingv1.NetworkPolicyPort, peers []networkingv1.NetworkPolicyPeer) error {
	r := rule{ports: ports, all: len(peers) == 0}
	for i := range peers {
		compiled, err := compilePeer(&peers[i])
		if err != nil {
			return failure.Wrap(err, failure.Finding, "", "NetworkPolicy %s, spec.%s[%d]", p, d, len(p.rules[d]))
		}
		r.peers = append(r.peers, compiled)
	}
	p.rules[d] = append(p.rules[d], r)
	return nil
}

func compilePeer(from *networkingv1.NetworkPolicyPeer) (p peer, err error) {
	if from.IPBlock != nil {
		p.block, err = compileBlock(from.IPBlock)
		return p, err
	}
	p.pods = labels.Everything() // where namespaces alone are selected
	if from.PodSelector != nil {
		if p.pods, err = metav1.LabelSelectorAsSelector(from.PodSelector); err != nil {
			return p, err
		}
	}
	if from.NamespaceSelector != nil {
		p.namespaces, err = metav1.LabelSelectorAsSelector(from.NamespaceSelector)
	}
	return p, err
}

func compileBlock(from *networkingv1.IPBlock) (*block, error) {
	cidr, err := netip.ParsePrefix(from.CIDR)
	if err != nil {
		return nil, fmt.Errorf("ipBlock: %w", err)
	}
	b := &block{cidr: cidr}
	for _, text := range from.Except {
		except, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("ipBlock: %w", err)
		}
		b.except = append(b.except, except)
	}
	return b, nil
}

// protocolOf is TCP where a rule names none.
func protocolOf(port *networkingv1.NetworkPolicyPort) corev1.Protocol {
	if port.Protocol == nil {
		return corev1.ProtocolTCP
	}
	return *port.Protocol
}
