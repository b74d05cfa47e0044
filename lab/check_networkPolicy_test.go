package lab

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

const testNetwork = `namespaces:
  shop: {team: shop}
  data: {}
  default: {}
pods:
- {name: shop/web, labels: {app: web, pod-template-hash: abc}, ip: [10.0.0.1, "fd00::1"], ports: {http: 8080, dns: 53/UDP}}
- {name: shop/cart, labels: {app: cart}, ip: 10.0.0.2, node: 192.168.0.1}
- {name: data/db, ip: 10.0.1.1, node: 192.168.0.2}
outside:
  internet: 203.0.113.1
  internet6: "2001:db8::1"
`

// networkLab reads a lab with one check of policies.
func networkLab(with, cluster, flows string) (*Lab, error) {
	return Read(fstest.MapFS{
		labFile:               {Data: []byte(labWith("networkPolicy", with))},
		"hidden/cluster.yaml": {Data: []byte(cluster)}, "start/flows.jsonl": {Data: []byte(flows)},
	}, "test", "test")
}

// gradeNetwork grades files by a check of them.
func gradeNetwork(t *testing.T, with, flows string, files map[string]string) CheckResult {
	t.Helper()
	l, err := networkLab(with, testNetwork, flows)
	if err != nil {
		t.Fatal(err)
	}
	return gradeIn(t, l, files)[0]
}

const (
	onlyCart  = "{file: a, cluster: cluster.yaml, wanted: cart alone, allowed: [{from: shop/cart, to: shop/web, ports: 8080}], denied: [{from: [data/*, outside/*], to: shop/web, ports: [8080]}]}"
	cartRule  = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web, namespace: shop}\nspec:\n  podSelector: {matchLabels: {app: web}}\n  ingress:\n  - from: [{podSelector: {matchLabels: {app: cart}}}]\n"
	denyAll   = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web, namespace: shop}\nspec: {podSelector: {}}\n"
	someOther = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n"
)

func TestNetworkPolicyCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, a, found string }{
		{"right", cartRule, ""},
		{"Windows line ends", strings.ReplaceAll(cartRule, "\n", "\r\n"), ""},
		{"JSON", `{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "x", "namespace": "shop"}, "spec": {"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "cart"}}}]}]}}`, ""},
		{"beside other objects", someOther + "---\n" + cartRule, ""},
		{"two that add up", strings.Replace(cartRule, "name: web", "name: other", 1) + "---\n" + denyAll, ""},
		{"the second of a name replaces the first", denyAll + "---\n" + cartRule, ""},
		{"and the other way round", cartRule + "---\n" + denyAll, "shop/cart (app=cart) does not reach shop/web (app=web) on TCP 8080, which is to be open: no rule allows it among the ingress rules of NetworkPolicy shop/web"},
		{"open to all", strings.Replace(cartRule, "- from: [{podSelector: {matchLabels: {app: cart}}}]", "- {}", 1),
			"3 of 4 connections are not so: data/db (no labels) reaches shop/web (app=web) on TCP 8080, which is to be closed: NetworkPolicy shop/web, spec.ingress[0] allows it"},
		{"both ways wrong", strings.Replace(cartRule, "cart}", "db}", 1) + "---\n" + strings.Replace(strings.Replace(cartRule, "name: web", "name: db", 1), "podSelector: {matchLabels: {app: cart}}", "ipBlock: {cidr: 203.0.113.0/24}", 1),
			"which is to be open: no rule allows it among the ingress rules of NetworkPolicies shop/web, shop/db; 203.0.113.1 (internet) reaches shop/web (app=web) on TCP 8080"},
		{"no namespace", strings.Replace(cartRule, ", namespace: shop", "", 1), "(NetworkPolicy web names no namespace, and goes to default)"},
		{"no such namespace", strings.Replace(cartRule, "namespace: shop", "namespace: shops", 1), "the cluster has no namespace shops"},
		{"no name", strings.Replace(cartRule, "name: web, ", "", 1), "metadata.name: Required value"},
		{"no policy", someOther, "there is no NetworkPolicy in a, but Service shop/web"},
		{"an old API", strings.Replace(cartRule, "networking.k8s.io/v1", "extensions/v1beta1", 1), "serves it in networking.k8s.io/v1 alone"},
		{"another API's", strings.Replace(cartRule, "networking.k8s.io/v1", "crd.projectcalico.org/v1", 1), "serves it in networking.k8s.io/v1 alone"},
		{"a misspelt field", strings.Replace(cartRule, "podSelector: {matchLabels: {app: web}}", "podSelecter: {}", 1), `unknown field "spec.podSelecter"`},
		{"the status that old tools write", cartRule + "status: {}\n", `unknown field "status"`},
		{"right, beside one that is refused", strings.Replace(cartRule, "name: web", "name: other", 1) + "status: {}\n---\n" + cartRule, ""},
		{"wrong, beside one that is refused", cartRule + "status: {}\n---\n" + denyAll, "unknown field \"status\"; without it shop/cart (app=cart) does not reach shop/web"},
		{"a bad address", strings.Replace(cartRule, "podSelector: {matchLabels: {app: cart}}", "ipBlock: {cidr: 10.0.0.2}", 1), "the API server refuses it: spec.ingress[0].from[0].ipBlock.cidr"},
		{"a port that is a text", cartRule + "    ports: [{port: \"8080\"}]\n", `spec.ingress[0].ports[0].port: Invalid value: "8080"`},
		{"a port that is no number of 32 bits", cartRule + "    ports: [{port: 99999999999}]\n", "NetworkPolicy shop/web in a"},
		{"from is no list", strings.Replace(cartRule, "from: [{podSelector: {matchLabels: {app: cart}}}]", "from: {podSelector: {}}", 1), "NetworkPolicy shop/web in a"},
		{"empty", "", "a is empty"},
		{"binary", "\x7fELF\x00\x01\x02", "not valid YAML"},
		{"a template", strings.Replace(cartRule, "app: web", "app: {{ .Values.app }}", 1), "is a template"},
		{"half", cartRule[:len(cartRule)-8], "not valid YAML"},
		{"huge", strings.Repeat("# x\n", 1<<20), "larger than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := gradeNetwork(t, onlyCart, "", map[string]string{"a": test.a})
			if c.Passed != (test.found == "") || !strings.Contains(c.Found, test.found) || c.Wanted != "cart alone" {
				t.Errorf("passed %t, found %s, want %s", c.Passed, c.Found, test.found)
			}
		})
	}
	if c := gradeNetwork(t, onlyCart, "", nil); c.Passed || c.Found != "no file a" {
		t.Error(c.Found)
	}
}

func TestNetworkPolicyRows(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, rest, found string }{
		{"files, one after the other", "files: [a, b], allowed: [{from: data/db, to: shop/web, ports: [80, 53/UDP]}]", ""},
		{"a missing one", "files: [a, c], allowed: [{from: data/db, to: shop/web, ports: 80}]", "no file c"},
		{"stars and what they leave out", `file: a, denied: [{from: ["*/*", "!shop/*"], to: shop/*, ports: 80}], allowed: [{from: ["shop/*", "!shop/web"], to: data/*, ports: 80}]`, ""},
		{"stars do not go outside", `file: a, denied: [{from: ["*/*"], to: shop/cart, ports: 80}], allowed: [{from: outside/internet, to: data/db, ports: 80}]`, ""},
		{"one family to itself", `file: a, denied: [{from: outside/internet6, to: "*/*", ports: 80}]`, ""},
		{"both ends", "file: out, allowed: [{from: shop/cart, to: shop/web, ports: 80}]", "egress rules of NetworkPolicy shop/web"},
		{"the side of ingress", "file: out, side: ingress, allowed: [{from: shop/cart, to: shop/web, ports: 80}]", ""},
		{"the side of egress", "file: a, side: egress, allowed: [{from: shop/cart, to: shop/web, ports: 80}]", ""},
		{"the side of egress is closed", "file: out, side: egress, allowed: [{from: shop/cart, to: shop/web, ports: 80}]", "does not reach"},
		{"what is to be closed may be so at any end", "file: out, side: ingress, denied: [{from: shop/cart, to: shop/web, ports: 80}]", ""},
		{"flows", "file: a, flows: flows.jsonl, denied: [{from: data/db, to: shop/cart, ports: 80}]", "shop/cart (app=cart) does not reach shop/web (app=web) on TCP 8080"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			flows := `{"namespace": "shop", "pod": "web", "pktType": "HOST", "proto": "tcp", "port": 8080, "remoteKind": "pod", "remoteNamespace": "shop", "remoteName": "cart", "remoteAddr": "10.0.0.2", "node": "x"}` +
				"\n\n" + `{"namespace": "shop", "pod": "web", "pktType": "OUTGOING", "proto": "TCP", "port": 443, "remoteKind": "other", "remoteAddr": "2001:db8::1"}` + "\n"
			c := gradeNetwork(t, "{cluster: cluster.yaml, wanted: w, "+test.rest+"}", flows, map[string]string{
				"a": denyAll, "b": strings.Replace(denyAll, "podSelector: {}", "ingress: [{}]", 1),
				"out": strings.Replace(denyAll, "podSelector: {}", "policyTypes: [Egress]", 1),
			})
			if c.Passed != (test.found == "") || !strings.Contains(c.Found, test.found) {
				t.Errorf("passed %t, found %s, want %s", c.Passed, c.Found, test.found)
			}
		})
	}
}

func TestNetworkPolicyParameters(t *testing.T) {
	t.Parallel()
	row := "allowed: [{from: shop/cart, to: shop/web, ports: 80}]"
	for _, test := range []struct{ with, cluster, flows, err string }{
		{"{cluster: cluster.yaml, wanted: w, " + row + "}", "", "", `no field "file"`},
		{"{file: ../a, cluster: cluster.yaml, wanted: w, " + row + "}", "", "", "no file in the workspace"},
		{"{files: [a, a], cluster: cluster.yaml, wanted: w, " + row + "}", "", "", "stands twice"},
		{"{file: a, wanted: w, " + row + "}", "", "", `no field "cluster"`},
		{"{file: a, cluster: cluster.yaml, " + row + "}", "", "", `no field "wanted"`},
		{"{file: a, cluster: cluster.yaml, wanted: w}", "", "", "asks for no connection"},
		{"{file: a, cluster: other.yaml, wanted: w, " + row + "}", "", "", "other.yaml"},
		{"{file: a, cluster: cluster.yaml, wanted: w, side: left, " + row + "}", "", "", `no side "left"`},
		{"{file: a, cluster: cluster.yaml, wanted: w, allowed: [{from: shop/cart, to: shop/web}]}", "", "", `no field "ports"`},
		{"{file: a, cluster: cluster.yaml, wanted: w, allowed: [{from: shop/cart, to: shop/nobody, ports: 80}]}", "", "", "is nobody in the cluster"},
		{"{file: a, cluster: cluster.yaml, wanted: w, allowed: [{from: 'shop/[', to: shop/web, ports: 80}]}", "", "", "is no name"},
		{"{file: a, cluster: cluster.yaml, wanted: w, allowed: [{from: shop/web, to: shop/web, ports: 80}]}", "", "", "stands for no connection"},
		{"{file: a, cluster: cluster.yaml, wanted: w, allowed: [{from: shop/cart, to: shop/web, ports: []}]}", "", "", "stands for no connection"},
		{"{file: a, cluster: cluster.yaml, wanted: w, allowed: [{from: shop/cart, to: shop/web, ports: 80/ICMP}]}", "", "", "is no port"},
		{"{file: a, cluster: cluster.yaml, wanted: w, allowed: [{from: shop/cart, to: shop/web, ports: 0}]}", "", "", "is no port"},
		{"{file: a, cluster: cluster.yaml, wanted: w, " + row + ", denied: [{from: '*/*', to: shop/web, ports: 80}]}", "", "", "both allowed and denied"},
		{"{file: a, cluster: cluster.yaml, wanted: w, " + row + "}", "namespaces: {a: {}}\n", "", "no list of pods"},
		{"{file: a, cluster: cluster.yaml, wanted: w, " + row + "}", "pods: [{name: shop/x, ip: 10.0.0.1}]\n", "", `no namespace "shop"`},
		{"{file: a, cluster: cluster.yaml, wanted: w, " + row + "}", "namespaces: {outside: {}}\npods: []\n", "", "outside stands for"},
		{"{file: a, cluster: cluster.yaml, wanted: w, " + row + "}", "namespaces: {a: {}}\npods: [{name: a/x}]\n", "", "no ip"},
		{"{file: a, cluster: cluster.yaml, wanted: w, " + row + "}", "namespaces: {a: {}}\npods: [{name: a/x, ip: 10.0.0.300}]\n", "", "is no address"},
		{"{file: a, cluster: cluster.yaml, wanted: w, " + row + "}", "namespaces: {a: {}}\npods: [{name: a/x, ip: 10.0.0.3, ports: {http: 80000}}]\n", "", "is no port"},
		{"{file: a, cluster: cluster.yaml, wanted: w, " + row + "}", "namespaces: {a: {b: [c]}}\npods: []\n", "", "label b is not a text"},
		{"{file: a, cluster: cluster.yaml, wanted: w, " + row + "}", "namespaces: {a: {}}\npods: [{name: a/x, ip: 10.0.0.3}, {name: a/x, ip: 10.0.0.4}]\n", "", "two pods"},
		{"{file: a, cluster: cluster.yaml, wanted: w, " + row + "}", "pods: [\n", "", "the cluster of test"},
		{"{file: a, cluster: cluster.yaml, wanted: w, flows: flows.jsonl}", "", "{", "line 1"},
		{"{file: a, cluster: cluster.yaml, wanted: w, flows: flows.jsonl}", "", `{"namespace": "shop", "pod": "x", "proto": "TCP", "port": 1}`, "no pod shop/x"},
		{"{file: a, cluster: cluster.yaml, wanted: w, flows: flows.jsonl}", "", `{"namespace": "shop", "pod": "web", "proto": "ICMP", "port": 1}`, "no port 1/ICMP"},
		{"{file: a, cluster: cluster.yaml, wanted: w, flows: flows.jsonl}", "", `{"namespace": "shop", "pod": "web", "proto": "TCP", "port": 1, "remoteAddr": "10.0.0.2", "pktType": "IN"}`, `pktType is "IN"`},
		{"{file: a, cluster: cluster.yaml, wanted: w, flows: flows.jsonl}", "", `{"namespace": "shop", "pod": "web", "proto": "TCP", "port": 1, "remoteKind": "pod", "remoteAddr": "10.0.0.2"}`, "no pod /"},
		{"{file: a, cluster: cluster.yaml, wanted: w, flows: flows.jsonl}", "", `{"namespace": "shop", "pod": "web", "proto": "TCP", "port": 1, "remoteKind": "pod", "remoteNamespace": "shop", "remoteName": "cart", "remoteAddr": "10.0.0.9", "pktType": "HOST"}`, "does not have the address 10.0.0.9"},
		{"{file: a, cluster: cluster.yaml, wanted: w, flows: flows.jsonl}", "", `{"namespace": "shop", "pod": "cart", "proto": "TCP", "port": 1, "remoteKind": "other", "remoteAddr": "2001:db8::1", "pktType": "OUTGOING"}`, "no address like"},
		{"{file: a, cluster: cluster.yaml, wanted: w, flows: nothing.jsonl}", "", "", "nothing.jsonl"},
	} {
		t.Run(test.err, func(t *testing.T) {
			t.Parallel()
			cluster := test.cluster
			if cluster == "" {
				cluster = testNetwork
			}
			_, err := networkLab(test.with, cluster, test.flows)
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v, want %s", err, test.err)
			}
		})
	}
}

// TestNetworkPolicyLimits refuses a check that would take long.
func TestNetworkPolicyLimits(t *testing.T) {
	t.Parallel()
	cluster := func(pods int) string {
		text := "namespaces: {a: {}}\npods:\n"
		for i := range pods {
			text += fmt.Sprintf("- {name: a/p%d, ip: 10.0.%d.%d}\n", i, i/250, i%250)
		}
		return text
	}
	ports := "[80" + strings.Repeat(", 80", 100) + "]"
	line := `{"namespace": "a", "pod": "p1", "proto": "TCP", "port": 1, "remoteKind": "pod", "remoteNamespace": "a", "remoteName": "p2", "remoteAddr": "10.0.0.2", "pktType": "HOST"}` + "\n"
	for _, test := range []struct{ rest, cluster, flows, err string }{
		{"denied: [{from: a/*, to: a/*, ports: 80}]", cluster(150), "", "more than 20000 connections"},
		{"denied: [{from: a/p1, to: a/p2, ports: " + ports + "}]", cluster(3), "", "more than 100 ports"},
		{"denied: [{from: a/p1, to: a/p2, ports: 80}]", cluster(501), "", "more than 500 pods"},
		{"denied: [{from: a/p1, to: a/p2, ports: 80}]", cluster(3) + "- {name: a/x, ip: [10.0.0.7, 10.0.0.8, 10.0.0.9]}\n", "", "more than two addresses"},
		{"flows: flows.jsonl", cluster(3), strings.Repeat(line, 20001), "more than 20000 connections"},
	} {
		_, err := networkLab("{file: a, cluster: cluster.yaml, wanted: w, "+test.rest+"}", test.cluster, test.flows)
		if err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%v, want %s", err, test.err)
		}
	}
}

// TestNetworkPolicyLarge grades the largest file of policies there can be.
func TestNetworkPolicyLarge(t *testing.T) {
	t.Parallel()
	one := "{podSelector: {matchLabels: {a: b}}}, "
	large := denyAll + "---\n" + strings.Replace(cartRule, "{podSelector: {matchLabels: {app: cart}}}", strings.Repeat(one, (maxManifest-1000)/len(one))+"{podSelector: {}}", 1)
	if c := gradeNetwork(t, onlyCart, "", map[string]string{"a": large}); !c.Passed {
		t.Error(c.Found)
	}
}

// TestNetworkPolicyEnds gives up when nobody waits any more.
func TestNetworkPolicyEnds(t *testing.T) {
	t.Parallel()
	l, err := networkLab(onlyCart, testNetwork, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f := l.graders[0](ctx, workIn(t, map[string]string{"a": denyAll})); f.passed || !strings.Contains(f.found, "no time") {
		t.Error(f.found)
	}
}

// FuzzNetworkCluster reads descriptions of clusters and recordings of flows.
func FuzzNetworkCluster(f *testing.F) {
	flow := `{"namespace": "shop", "pod": "cart", "pktType": "OUTGOING", "proto": "TCP", "port": 443, "remoteKind": "other", "remoteAddr": "203.0.113.1"}`
	f.Add(testNetwork, flow)
	f.Add("namespaces: {a: {}}\npods: [{name: a/b, ip: ['fd00::1'], hostNetwork: true}]\noutside: {a: '::ffff:10.0.0.1'}\n", flow)
	f.Fuzz(func(t *testing.T, cluster, flows string) {
		c, err := readNetworkCluster([]byte(cluster), "test")
		if err != nil {
			return
		}
		for _, name := range c.names() {
			if ends := c.endsNamed(name); len(ends) == 0 || c.call(ends[0]) == "" {
				t.Errorf("%q is nobody", name)
			}
		}
		for line := range strings.Lines(flows) {
			connection, err := c.flow([]byte(line))
			if err == nil && connection.From.Pod == nil && connection.To.Pod == nil {
				t.Errorf("%s: no end is a pod", connection)
			}
		}
	})
}
