package cyclonus

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/lab/networkpolicy"
)

// TestWhereCyclonusIsWrong has what the generator leaves out, and the words by which
// cyclonus is wrong there. Once it no longer is, the generator can make it.
func TestWhereCyclonusIsWrong(t *testing.T) {
	t.Parallel()
	ip, node := netip.MustParseAddr, netip.MustParseAddr("192.168.0.1")
	plain := &networkpolicy.Pod{Namespace: "shop", Name: "plain", Labels: map[string]string{"app": "web"}, IPs: []netip.Addr{ip("10.0.0.1")}, Node: []netip.Addr{node}}
	other := &networkpolicy.Pod{Namespace: "shop", Name: "other", Labels: map[string]string{"app": "api"}, IPs: []netip.Addr{ip("10.0.0.2")}, Node: []netip.Addr{node}}
	host := &networkpolicy.Pod{Namespace: "shop", Name: "host", Labels: map[string]string{"app": "agent"}, IPs: []netip.Addr{ip("192.168.0.2")}, HostNetwork: true}
	end := func(p *networkpolicy.Pod) networkpolicy.End { return networkpolicy.End{Pod: p, IP: p.IPs[0]} }
	from := func(s metav1.LabelSelector) []networkingv1.NetworkPolicyIngressRule {
		return []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &s}}}}
	}
	tests := []struct {
		name, clause string
		ingress      []networkingv1.NetworkPolicyIngressRule
		from         networkpolicy.End
		allowed      bool
	}{
		{
			"NotIn where there is no such label",
			"selects all resources with key equal to tier and values distinct from frontend and backend, and all resources with no labels with the tier key",
			from(metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"front"}}}}),
			end(other), true,
		}, {
			"an empty value where there is no such label",
			`matchLabels is equivalent to an element of matchExpressions whose operator is "In", and the values array contains only "value"`,
			from(metav1.LabelSelector{MatchLabels: map[string]string{"tier": ""}}),
			end(other), false,
		}, {
			"a pod's traffic to itself", "a Pod cannot block access to itself", nil, end(plain), true,
		}, {
			"a pod's own node", "OR if the traffic source is the pod's local node", nil, networkpolicy.End{IP: node}, true,
		}, {
			"a pod on the network of its node",
			"ignore NetworkPolicy for hostNetwork pods: podSelector and namespaceSelector do not match them",
			from(metav1.LabelSelector{}), end(host), false,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cluster := networkpolicy.Cluster{Namespaces: []networkpolicy.Namespace{{Name: "shop"}}}
			policies := []networkingv1.NetworkPolicy{{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
				Spec:       networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: plain.Labels}, Ingress: test.ingress},
			}}
			ours, err := networkpolicy.New(cluster, policies)
			if err != nil {
				t.Fatal(err)
			}
			c := networkpolicy.Connection{From: test.from, To: end(plain), Port: 80, Protocol: corev1.ProtocolTCP}
			if v := ours.Evaluate(c); v.Allowed() != test.allowed {
				t.Errorf("%s: %q, but it says that %s", c, test.clause, v.Why())
			}
			if theirPolicies(policies).IsTrafficAllowed(traffic(&cluster, c)).IsAllowed() == test.allowed {
				t.Error("cyclonus is right: have the generator make it")
			}
		})
	}
}
