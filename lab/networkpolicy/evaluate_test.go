package networkpolicy_test

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/lab/networkpolicy"
)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// testCluster has what the tests connect, by name.
func testCluster() (networkpolicy.Cluster, map[string]networkpolicy.End) {
	c := networkpolicy.Cluster{
		Namespaces: []networkpolicy.Namespace{
			{Name: "default"},
			{Name: "shop", Labels: map[string]string{"team": "shop", "env": "prod"}},
			{Name: "data", Labels: map[string]string{"team": "data", corev1.LabelMetadataName: "forged"}},
		},
		Pods: []networkpolicy.Pod{
			{Namespace: "shop", Name: "web", Labels: map[string]string{"app": "web", "tier": ""}, IPs: []netip.Addr{addr("10.0.0.1"), addr("fd00::1")},
				Ports: []networkpolicy.Port{{Name: "http", Number: 8080, Protocol: corev1.ProtocolTCP}, {Name: "diameter", Number: 3868, Protocol: corev1.ProtocolSCTP}},
				Node:  []netip.Addr{addr("192.168.0.1")}},
			{Namespace: "shop", Name: "cart", Labels: map[string]string{"app": "cart"}, IPs: []netip.Addr{addr("10.0.0.2")}, Node: []netip.Addr{addr("192.168.0.1")}},
			{Namespace: "data", Name: "db", Labels: map[string]string{"app": "db"}, IPs: []netip.Addr{addr("10.0.1.1")}, Node: []netip.Addr{addr("192.168.0.2")}},
			{Namespace: "data", Name: "cart", Labels: map[string]string{"app": "cart"}, IPs: []netip.Addr{addr("10.0.1.2")}},
			{Namespace: "default", Name: "box", IPs: []netip.Addr{addr("10.0.2.1")}},
			{Namespace: "shop", Name: "agent", Labels: map[string]string{"app": "cart"}, IPs: []netip.Addr{addr("192.168.0.2")}, HostNetwork: true, Node: []netip.Addr{addr("192.168.0.2")}},
		},
	}
	ends := map[string]networkpolicy.End{
		"internet": {IP: addr("203.0.113.1")}, "internet6": {IP: addr("2001:db8::1")},
		"node1": {IP: addr("192.168.0.1")}, "node2": {IP: addr("192.168.0.2")},
		"web6": {Pod: &c.Pods[0], IP: addr("fd00::1")},
	}
	for i := range c.Pods {
		ends[c.Pods[i].String()] = networkpolicy.End{Pod: &c.Pods[i], IP: c.Pods[i].IPs[0]}
	}
	return c, ends
}

// decode reads policies that stand one after the other.
func decode(t testing.TB, text string) (list []networkingv1.NetworkPolicy) {
	t.Helper()
	for _, part := range strings.Split(text, "---\n") {
		var p networkingv1.NetworkPolicy
		if err := yaml.UnmarshalStrict([]byte(part), &p); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

// spec makes a policy in shop that selects web.
func spec(text string) string {
	return "{metadata: {name: p, namespace: shop}, spec: {podSelector: {matchLabels: {app: web}}, " + text + "}}\n"
}

// TestEvaluate has the sentences of the API's documentation (types.go of
// networking.k8s.io/v1, and the page on network policies) with policies for each. A
// connection is "FROM TO PORT[/PROTOCOL]".
func TestEvaluate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		clause       string
		policies     string
		open, closed []string
	}{
		{"all is open to pods that no policy selects", spec(""),
			[]string{"shop/cart data/db 5432", "internet shop/cart 80", "shop/web internet 443"}, nil},
		{"an empty selector matches all pods in the policy's namespace", "{metadata: {name: p, namespace: shop}, spec: {podSelector: {}}}",
			[]string{"shop/cart data/db 80"}, []string{"data/db shop/web 80", "shop/web shop/cart 80", "internet shop/cart 80/UDP"}},
		{"podSelector is optional, and empty if it is not given", "{metadata: {name: p, namespace: shop}, spec: {policyTypes: [Egress]}}",
			[]string{"data/db shop/cart 80"}, []string{"shop/cart data/db 80", "shop/web shop/cart 80"}},
		{"a policy without a namespace goes to default", "{metadata: {name: p}, spec: {}}",
			[]string{"default/box shop/web 80"}, []string{"shop/web default/box 80"}},
		{"policies that contain an egress section are assumed to affect egress, and all policies ingress", spec("egress: [{to: [{podSelector: {}}]}]"),
			[]string{"shop/web shop/cart 80"}, []string{"shop/cart shop/web 80", "shop/web data/db 80"}},
		{"an empty egress section is none", spec("egress: []"),
			[]string{"shop/web data/db 80"}, []string{"data/db shop/web 80"}},
		{"for an egress-only policy the type must be given", spec("policyTypes: [Egress], egress: [{}]"),
			[]string{"shop/web internet 80", "internet shop/web 80"}, nil},
		{"rules of a type that is not among policyTypes do nothing", spec("policyTypes: [Ingress], egress: [{ports: [{port: 1}]}]"),
			[]string{"shop/web data/db 80"}, []string{"data/db shop/web 80"}},
		{"an empty or missing from matches all sources", spec("ingress: [{ports: [{port: 80}]}]"),
			[]string{"internet shop/web 80", "data/db shop/web 80", "internet6 web6 80"}, []string{"internet shop/web 81"}},
		{"an empty from as well", spec("ingress: [{from: [], ports: []}]"), []string{"internet shop/web 80/SCTP", "shop/agent shop/web 1"}, nil},
		{"a list of no rules allows nothing", spec("ingress: []"), nil, []string{"data/db shop/web 80"}},
		{"the ingress rules of several policies are combined additively",
			spec("ingress: [{from: [{podSelector: {}}]}]") + "---\n{metadata: {name: q, namespace: shop}, spec: {ingress: [{ports: [{port: 80}]}]}}",
			[]string{"shop/cart shop/web 9", "internet shop/web 80", "internet shop/cart 80"}, []string{"internet shop/web 9", "internet shop/cart 9"}},
		{"a podSelector alone selects in the policy's own namespace", spec("ingress: [{from: [{podSelector: {matchLabels: {app: cart}}}]}]"),
			[]string{"shop/cart shop/web 80"}, []string{"data/cart shop/web 80", "data/db shop/web 80", "internet shop/web 80"}},
		{"an empty podSelector selects all pods there", spec("ingress: [{from: [{podSelector: {}}]}]"),
			[]string{"shop/cart shop/web 80"}, []string{"data/cart shop/web 80", "internet shop/web 80"}},
		{"a namespaceSelector alone selects all pods in the namespaces", spec("ingress: [{from: [{namespaceSelector: {matchLabels: {team: data}}}]}]"),
			[]string{"data/db shop/web 80", "data/cart shop/web 80"}, []string{"shop/cart shop/web 80", "default/box shop/web 80"}},
		{"an empty namespaceSelector selects all namespaces", spec("ingress: [{from: [{namespaceSelector: {}}]}]"),
			[]string{"data/db shop/web 80", "default/box shop/web 80", "shop/cart shop/web 80"}, []string{"internet shop/web 80"}},
		{"both in one item mean both", spec("ingress: [{from: [{namespaceSelector: {matchLabels: {team: data}}, podSelector: {matchLabels: {app: cart}}}]}]"),
			[]string{"data/cart shop/web 80"}, []string{"data/db shop/web 80", "shop/cart shop/web 80"}},
		{"two items mean either", spec("ingress: [{from: [{namespaceSelector: {matchLabels: {team: data}}}, {podSelector: {matchLabels: {app: cart}}}]}]"),
			[]string{"data/cart shop/web 80", "data/db shop/web 80", "shop/cart shop/web 80"}, []string{"default/box shop/web 80"}},
		{"kubernetes.io/metadata.name is the namespace's name, whatever it says", spec("ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}}]}]"),
			[]string{"data/db shop/web 80"}, []string{"default/box shop/web 80"}},
		{"In", spec("ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [cart, x]}]}}]}]"), []string{"shop/cart shop/web 80"}, nil},
		{"NotIn, also where there is no such label", spec("ingress: [{from: [{podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [x]}]}}]}]"), []string{"shop/cart shop/web 80"}, nil},
		{"NotIn", spec("ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [cart]}]}}]}]"), nil, []string{"shop/cart shop/web 80"}},
		{"Exists, also with an empty value", "{metadata: {name: p, namespace: shop}, spec: {podSelector: {matchExpressions: [{key: tier, operator: Exists}]}}}",
			[]string{"data/db shop/cart 80"}, []string{"data/db shop/web 80"}},
		{"DoesNotExist", "{metadata: {name: p, namespace: shop}, spec: {podSelector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}}}",
			[]string{"data/db shop/web 80"}, []string{"data/db shop/cart 80"}},
		{"the requirements of a selector hold together", spec("ingress: [{from: [{podSelector: {matchLabels: {app: cart}, matchExpressions: [{key: tier, operator: Exists}]}}]}]"), nil, []string{"shop/cart shop/web 80"}},
		{"an ipBlock, but for what it excepts", spec("ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.2/32]}}]}]"),
			[]string{"internet shop/web 80"}, []string{"internet6 web6 80", "data/db shop/web 80"}},
		{"what an ipBlock excepts", spec("policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [203.0.113.0/24, 10.0.1.0/24]}}]}]"),
			[]string{"shop/web default/box 80"}, []string{"shop/web internet 80", "shop/web data/db 80", "web6 internet6 80"}},
		{"what one block excepts another may hold", spec("ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [203.0.113.0/24]}}, {ipBlock: {cidr: 203.0.113.1/32}}]}]"),
			[]string{"internet shop/web 80"}, nil},
		{"a block of IPv6", spec("policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: '2001:db8::/32'}}]}]"),
			[]string{"web6 internet6 443"}, []string{"shop/web internet 443"}},
		{"without a protocol it is TCP", spec("ingress: [{ports: [{port: 80}]}]"),
			[]string{"data/db shop/web 80"}, []string{"data/db shop/web 80/UDP", "data/db shop/web 80/SCTP"}},
		{"without a port it is all ports of the protocol", spec("ingress: [{ports: [{protocol: UDP}]}]"),
			[]string{"data/db shop/web 9/UDP"}, []string{"data/db shop/web 9"}},
		{"an empty element of ports is all of TCP", spec("ingress: [{ports: [{}]}]"),
			[]string{"data/db shop/web 9"}, []string{"data/db shop/web 9/UDP"}},
		{"one of several ports", spec("ingress: [{ports: [{port: 80}, {port: 53, protocol: UDP}]}]"),
			[]string{"data/db shop/web 80", "data/db shop/web 53/UDP"}, []string{"data/db shop/web 53"}},
		{"from port to endPort, inclusive", spec("ingress: [{ports: [{port: 80, endPort: 82}]}]"),
			[]string{"data/db shop/web 80", "data/db shop/web 82"}, []string{"data/db shop/web 79", "data/db shop/web 83", "data/db shop/web 81/UDP"}},
		{"a named port on a pod", spec("ingress: [{ports: [{port: http}, {port: diameter, protocol: SCTP}]}]"),
			[]string{"data/db shop/web 8080", "data/db shop/web 3868/SCTP"}, []string{"data/db shop/web 80", "data/db shop/web 8080/UDP"}},
		{"a name with another protocol", spec("ingress: [{ports: [{port: http, protocol: UDP}, {port: diameter}]}]"),
			nil, []string{"data/db shop/web 8080", "data/db shop/web 8080/UDP", "data/db shop/web 3868", "data/db shop/web 3868/SCTP"}},
		{"in egress the name is the destination's", "{metadata: {name: p, namespace: data}, spec: {policyTypes: [Egress], egress: [{ports: [{port: http}]}]}}",
			[]string{"data/db shop/web 8080"}, []string{"data/db shop/cart 8080", "data/db internet 8080", "data/db shop/web 80"}},
		{"both ends have to let it pass", spec("ingress: [{}]") + "---\n{metadata: {name: q, namespace: data}, spec: {policyTypes: [Egress]}}",
			[]string{"shop/cart shop/web 80"}, []string{"data/db shop/web 80"}},
		{"a pod cannot block access to itself", spec("policyTypes: [Ingress, Egress]"),
			[]string{"shop/web shop/web 80", "web6 shop/web 80"}, []string{"shop/cart shop/web 80"}},
		{"the pod's local node always reaches it, and is reached", spec("policyTypes: [Ingress, Egress]"),
			[]string{"node1 shop/web 80", "shop/web node1 10250"}, []string{"node2 shop/web 80", "shop/web node2 10250"}},
		{"pods on the network of their node are no pods to selectors", spec("ingress: [{from: [{podSelector: {}}]}]"),
			[]string{"data/db shop/agent 80", "shop/agent data/db 80"}, []string{"shop/agent shop/web 80"}},
		{"but have its address", spec("ingress: [{from: [{ipBlock: {cidr: 192.168.0.2/32}}]}]"),
			[]string{"shop/agent shop/web 80"}, nil},
		{"and are its node for a pod beside them", "{metadata: {name: p, namespace: data}, spec: {policyTypes: [Ingress, Egress]}}",
			[]string{"shop/agent data/db 80", "data/db shop/agent 80"}, []string{"shop/agent data/cart 80"}},
	}
	for _, test := range tests {
		t.Run(test.clause, func(t *testing.T) {
			t.Parallel()
			cluster, ends := testCluster()
			e, err := networkpolicy.New(cluster, decode(t, test.policies))
			if err != nil {
				t.Fatal(err)
			}
			for _, connections := range []struct {
				list []string
				open bool
			}{{test.open, true}, {test.closed, false}} {
				for _, text := range connections.list {
					v := e.Evaluate(connection(t, ends, text))
					if v.Allowed() != connections.open || v.Why() == "" {
						t.Errorf("%s: %t: %s", text, v.Allowed(), v.Why())
					}
				}
			}
		})
	}
}

func connection(t *testing.T, ends map[string]networkpolicy.End, text string) networkpolicy.Connection {
	t.Helper()
	words := strings.Fields(text)
	number, protocol, named := strings.Cut(words[2], "/")
	if !named {
		protocol = "TCP"
	}
	port := int32(0)
	for _, digit := range number {
		port = port*10 + digit - '0'
	}
	from, ok := ends[words[0]]
	to, ok2 := ends[words[1]]
	if !ok || !ok2 {
		t.Fatalf("%q: nobody", text)
	}
	return networkpolicy.Connection{From: from, To: to, Port: port, Protocol: corev1.Protocol(protocol)}
}

func TestWhy(t *testing.T) {
	t.Parallel()
	cluster, ends := testCluster()
	e, err := networkpolicy.New(cluster, decode(t, spec("ingress: [{ports: [{port: 81}]}, {ports: [{port: 80}], from: [{podSelector: {}}]}]")+
		"---\n{metadata: {name: q, namespace: shop}, spec: {}}\n---\n{metadata: {name: out, namespace: data}, spec: {policyTypes: [Egress]}}"))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"shop/cart shop/web 80":  "NetworkPolicy shop/p, spec.ingress[1] allows it",
		"shop/cart data/db 80":   "no policy selects shop/cart for egress, and no policy selects data/db for ingress",
		"internet shop/web 80":   "no rule allows it among the ingress rules of NetworkPolicies shop/p, shop/q",
		"data/db internet 80":    "no rule allows it among the egress rules of NetworkPolicy data/out",
		"data/db shop/web 80":    "no rule allows it among the egress rules of NetworkPolicy data/out; no rule allows it among the ingress rules of NetworkPolicies shop/p, shop/q",
		"shop/cart internet 80":  "no policy selects shop/cart for egress",
		"node1 internet 80":      "no policy applies to the egress of 192.168.0.1, which is outside the pod network, and no policy applies to the ingress of 203.0.113.1, which is outside the pod network",
		"shop/cart shop/cart 80": "no policy keeps a pod from itself",
		"node1 shop/web 80":      "no policy keeps shop/web from its own node",
	} {
		c := connection(t, ends, text)
		if why := e.Evaluate(c).Why(); why != want {
			t.Errorf("%s: %s\nwant %s", c, why, want)
		}
	}
	if text := connection(t, ends, "web6 internet6 53/UDP").String(); text != "shop/web to [2001:db8::1]:53/UDP" {
		t.Error(text)
	}
}
