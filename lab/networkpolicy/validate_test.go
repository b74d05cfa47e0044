package networkpolicy_test

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab/networkpolicy"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := []struct{ spec, fault string }{
		{"{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: [{port: 1, endPort: 65535, protocol: SCTP}, {port: http-alt}]}]}", ""},
		{"{ingress: [{from: [{ipBlock: {cidr: 10.0.0.1}}]}]}", "spec.ingress[0].from[0].ipBlock.cidr"},
		{"{ingress: [{from: [{ipBlock: {cidr: 10.0.0.1/8}}]}]}", "beyond the prefix length"},
		{"{ingress: [{from: [{ipBlock: {cidr: 010.0.0.0/8}}]}]}", "leading 0s"},
		{"{ingress: [{from: [{ipBlock: {cidr: '::ffff:10.0.0.0/104'}}]}]}", "IPv4-mapped"},
		{"{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/33}}]}]}", "cidr"},
		{"{egress: [{to: [{ipBlock: {except: [10.0.0.0/8]}}]}]}", "spec.egress[0].to[0].ipBlock.cidr: Required value"},
		{"{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]}", "strict subset"},
		{"{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]}", "strict subset"},
		{"{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [0.0.0.0/0]}}]}]}", "strict subset"},
		{"{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: ['fd00::/8']}}]}]}", "strict subset"},
		{"{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [x]}}]}]}", "except[0]"},
		{"{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]}", "may not specify both"},
		{"{egress: [{to: [{}]}]}", "must specify a peer"},
		{"{egress: [{ports: [{port: 0}]}]}", "between 1 and 65535"},
		{"{egress: [{ports: [{port: 65536}]}]}", "between 1 and 65535"},
		{"{egress: [{ports: [{port: -1}]}]}", "between 1 and 65535"},
		{"{egress: [{ports: [{port: '80'}]}]}", "at least one letter"},
		{"{egress: [{ports: [{port: a-name-of-many-letters}]}]}", "no more than 15"},
		{"{egress: [{ports: [{port: 80, protocol: tcp}]}]}", `supported values: "TCP", "UDP", "SCTP"`},
		{"{egress: [{ports: [{port: 80, protocol: ICMP}]}]}", "Unsupported value"},
		{"{egress: [{ports: [{port: 80, endPort: 79}]}]}", "greater than or equal"},
		{"{egress: [{ports: [{port: 80, endPort: 65536}]}]}", "between 1 and 65535"},
		{"{egress: [{ports: [{endPort: 80}]}]}", "`port` is not specified"},
		{"{egress: [{ports: [{port: http, endPort: 80}]}]}", "non-numeric"},
		{"{policyTypes: [ingress]}", "Unsupported value"},
		{"{policyTypes: [Ingress, Egress, Ingress]}", "more than two"},
		{"{podSelector: {matchExpressions: [{key: app, operator: Is, values: [a]}]}}", "not a valid selector operator"},
		{"{podSelector: {matchExpressions: [{key: app, operator: In}]}}", "must be specified when"},
		{"{podSelector: {matchExpressions: [{key: app, operator: Exists, values: [a]}]}}", "may not be specified when"},
		{"{ingress: [{from: [{podSelector: {matchLabels: {app: 'a b'}}}]}]}", "spec.ingress[0].from[0].podSelector"},
		{"{ingress: [{from: [{namespaceSelector: {matchLabels: {'a b': c}}}]}]}", "spec.ingress[0].from[0].namespaceSelector"},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			t.Parallel()
			policies := decode(t, "{metadata: {name: p, namespace: shop}, spec: "+test.spec+"}")
			faults := networkpolicy.Validate(&policies[0])
			if test.fault == "" {
				if len(faults) > 0 {
					t.Error(faults)
				}
				return
			}
			if len(faults) == 0 || !strings.Contains(faults.ToAggregate().Error(), test.fault) {
				t.Errorf("%v, want %s", faults, test.fault)
			}
			cluster, _ := testCluster()
			if _, err := networkpolicy.New(cluster, policies); failure.KindOf(err) != failure.Finding || !strings.HasPrefix(fmt.Sprint(err), "NetworkPolicy shop/p: ") {
				t.Errorf("New: %v", err)
			}
		})
	}
	for name, fault := range map[string]string{"": "Required value", "Deny All": "metadata.name"} {
		policy := networkingv1.NetworkPolicy{}
		policy.Name = name
		if faults := networkpolicy.Validate(&policy); len(faults) == 0 || !strings.Contains(faults[0].Error(), fault) {
			t.Errorf("%q: %v", name, faults)
		}
	}
}

// FuzzEvaluate wants no policy to crash the evaluator, and each that is valid to be
// evaluated.
func FuzzEvaluate(f *testing.F) {
	f.Add(spec("ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}, {namespaceSelector: {}}], ports: [{port: http}, {port: 1, endPort: 9}]}]"))
	f.Add(spec("policyTypes: [Egress], egress: [{to: [{podSelector: {matchExpressions: [{key: a, operator: NotIn, values: [b]}]}}]}]"))
	f.Fuzz(func(t *testing.T, text string) {
		var p networkingv1.NetworkPolicy
		if yaml.UnmarshalStrict([]byte(text), &p) != nil {
			return
		}
		cluster, ends := testCluster()
		e, err := networkpolicy.New(cluster, []networkingv1.NetworkPolicy{p})
		if valid := len(networkpolicy.Validate(&p)) == 0; valid != (err == nil) {
			t.Fatalf("valid: %t, but %v", valid, err)
		}
		if err != nil {
			return
		}
		for _, from := range ends {
			for _, to := range ends {
				c := networkpolicy.Connection{From: from, To: to, Port: 8080, Protocol: corev1.ProtocolTCP}
				if v := e.Evaluate(c); v.Why() == "" {
					t.Errorf("%s: no reason", c)
				}
			}
		}
	})
}
