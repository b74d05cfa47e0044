package cyclonus

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/pkictl/pkictl/lab/networkpolicy"
)

// cases is how many clusters with their policies are compared. The number of a case
// is its seed.
const cases = 1200

// asked are the ports of which each pair of ends is asked.
func asked() (list []networkpolicy.Port) {
	for _, number := range []int32{53, 80, 81, 8080} {
		for _, protocol := range networkpolicy.Protocols() {
			list = append(list, networkpolicy.Port{Number: number, Protocol: protocol})
		}
	}
	return list
}

// TestAgreesWithCyclonus compares what both say of each end of each connection.
func TestAgreesWithCyclonus(t *testing.T) {
	t.Parallel()
	var allowed, denied atomic.Int64
	t.Run("cases", func(t *testing.T) {
		for worker := range 8 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for seed := worker; seed < cases && !t.Failed(); seed += 8 {
					compare(t, uint64(seed), &allowed, &denied)
				}
			})
		}
	})
	t.Logf("%d cases: %d connections allowed, %d denied", cases, allowed.Load(), denied.Load())
	if least := int64(cases * 500); allowed.Load() < least || denied.Load() < least {
		t.Errorf("%d connections allowed and %d denied say little: the generator makes too much alike", allowed.Load(), denied.Load())
	}
}

// compare compares one case.
func compare(t *testing.T, seed uint64, allowed, denied *atomic.Int64) {
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	cluster, policies := g.cluster(), g.policies()
	ours, err := networkpolicy.New(cluster, policies)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	theirs := theirPolicies(policies)
	all := ends(&cluster)
	for _, from := range all {
		for _, to := range all {
			if from == to || from.Pod == nil && to.Pod == nil {
				continue // cyclonus knows no pod by name, and denies what it sends to itself
			}
			for _, port := range asked() {
				c := networkpolicy.Connection{From: from, To: to, Port: port.Number, Protocol: port.Protocol}
				is, want := ours.Evaluate(c), theirs.IsTrafficAllowed(traffic(&cluster, c))
				if is.Egress.Allowed != want.Egress.IsAllowed() || is.Ingress.Allowed != want.Ingress.IsAllowed() {
					text, _ := json.Marshal([]any{policies, from, to})
					t.Errorf("seed %d: %s: egress %t, ingress %t (%s); cyclonus says %t and %t\n%s", seed, c,
						is.Egress.Allowed, is.Ingress.Allowed, is.Why(), want.Egress.IsAllowed(), want.Ingress.IsAllowed(), text)
					return
				}
				if is.Allowed() {
					allowed.Add(1)
				} else {
					denied.Add(1)
				}
			}
		}
	}
}

// theirPolicies makes cyclonus' policies. It takes none without types: those are
// defaulted here in the words of the API: "policies that contain an egress section are
// assumed to affect egress, and all policies (whether or not they contain an ingress
// section) are assumed to affect ingress".
func theirPolicies(policies []networkingv1.NetworkPolicy) *matcher.Policy {
	var list []*networkingv1.NetworkPolicy
	for i := range policies {
		p := policies[i].DeepCopy()
		if p.Spec.PolicyTypes == nil {
			p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
			if len(p.Spec.Egress) > 0 {
				p.Spec.PolicyTypes = append(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
			}
		}
		list = append(list, p)
	}
	return matcher.BuildNetworkPolicies(false, list)
}

// traffic is a connection as cyclonus has it.
func traffic(cluster *networkpolicy.Cluster, c networkpolicy.Connection) *matcher.Traffic {
	return &matcher.Traffic{
		Source: trafficPeer(cluster, c.From), Destination: trafficPeer(cluster, c.To),
		ResolvedPort: int(c.Port), ResolvedPortName: portName(c), Protocol: c.Protocol,
	}
}

func trafficPeer(cluster *networkpolicy.Cluster, end networkpolicy.End) *matcher.TrafficPeer {
	peer := &matcher.TrafficPeer{IP: end.IP.String()}
	if end.Pod == nil {
		return peer
	}
	peer.Internal = &matcher.InternalPeer{PodLabels: end.Pod.Labels, Namespace: end.Pod.Namespace}
	for _, namespace := range cluster.Namespaces {
		if namespace.Name == end.Pod.Namespace {
			labels := map[string]string{corev1.LabelMetadataName: namespace.Name}
			for key, value := range namespace.Labels {
				labels[key] = value
			}
			peer.Internal.NamespaceLabels = labels
		}
	}
	return peer
}

// portName is what the destination calls the port.
func portName(c networkpolicy.Connection) string {
	if c.To.Pod == nil {
		return ""
	}
	for _, port := range c.To.Pod.Ports {
		if port.Number == c.Port && port.Protocol == c.Protocol {
			return port.Name
		}
	}
	return ""
}
