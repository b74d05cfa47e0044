package lab_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/lab/networkpolicy"
)

// TestNetworkPolicyFaults holds networkpolicy.Validate against a real API server: what
// the one refuses, the other does.
func TestNetworkPolicyFaults(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var all strings.Builder
	valid := map[string]string{} // specs by name, those that are valid
	const count = 250
	for i := range count {
		name, spec := fmt.Sprintf("p-%d", i), randomSpec(r)
		text := "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " + name + ", namespace: shop}\nspec: " + spec + "\n"
		var p networkingv1.NetworkPolicy
		if err := yaml.UnmarshalStrict([]byte(text), &p); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if len(networkpolicy.Validate(&p)) == 0 {
			valid[name] = spec
		}
		all.WriteString("---\n" + text)
	}
	if len(valid) < count/4 || len(valid) > count*3/4 {
		t.Fatalf("%d of %d are valid: that compares little", len(valid), count)
	}
	l := readClusterLab(t, clusterObjects)
	limitClusters(t, l)
	w := startCluster(t, l, t.TempDir())
	if err := os.WriteFile(filepath.Join(w.Dir, "all.yaml"), []byte(all.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := kubectl(w, "create", "--dry-run=server", "-f", "all.yaml")
	if err == nil {
		t.Fatal("the API server takes them all")
	}
	for i := range count {
		name := fmt.Sprintf("p-%d", i)
		_, want := valid[name]
		if taken := strings.Contains(out, "networkpolicy.networking.k8s.io/"+name+" created"); taken != want {
			t.Errorf("%s: valid %t, and the API server takes it: %t\n%s", name, want, taken, linesWith(out, `"`+name+`"`))
		}
	}
}

// randomSpec is that of a policy, most parts of which are valid.
func randomSpec(r *rand.Rand) string {
	// The first of each is valid, and most often taken.
	pick := func(valid int, list ...string) string {
		if r.IntN(9) > 0 {
			return list[r.IntN(valid)]
		}
		return list[r.IntN(len(list))]
	}
	port := func() string {
		return "{" + pick(3, "port: 80", "port: 1", "port: http", "port: 0", "port: 65536", "port: -1", "port: '80'", "port: Http", "port: a--b", "port: ''", "port: 1a") +
			pick(4, "", "", "", ", protocol: UDP", ", protocol: SCTP", ", protocol: tcp", ", protocol: ICMP", ", protocol: ''", ", endPort: 80", ", endPort: 0", ", endPort: 65535", ", endPort: 70000", ", endPort: 79") + "}"
	}
	cidr := func() string {
		return pick(4, "10.0.0.0/8", "0.0.0.0/0", "'fd00::/8'", "10.0.0.1/32", "10.0.0.1/8", "10.0.0.0", "''", "010.0.0.0/8", "10.0.0.0/08", "'::ffff:10.0.0.0/104'", "'FD00::/8'", "10.0.0.0/33", "x", "'fd00::%eth0/64'", "'::/0'")
	}
	selector := func() string {
		return pick(4, "{}", "{matchLabels: {app: web}}", "{matchExpressions: [{key: a, operator: NotIn, values: [b, '']}]}", "{matchLabels: {app: ''}}",
			"{matchLabels: {app: 'a b'}}", "{matchLabels: {'a/b/c': d}}", "{matchLabels: {'': d}}", "{matchExpressions: [{key: a, operator: Exists, values: [b]}]}",
			"{matchExpressions: [{key: a, operator: In}]}", "{matchExpressions: [{key: a, operator: in, values: [b]}]}", "{matchExpressions: [{key: a, operator: DoesNotExist}]}",
			"{matchExpressions: [{key: a, operator: In, values: ['b c']}]}", "{matchExpressions: [{operator: Exists}]}")
	}
	peer := func() string {
		switch r.IntN(9) {
		case 0, 1, 2:
			return "{ipBlock: {cidr: " + cidr() + ", except: [" + pick(3, "", "", "", "10.1.0.0/16", "10.0.0.1/32", "10.0.0.0/8", "0.0.0.0/0", "'fd00:1::/32'", "10.1.0.1/16", "x") + "]}}"
		case 3:
			return pick(1, "{podSelector: {}}", "{}", "{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}", "{ipBlock: {except: [10.0.0.0/8]}}")
		case 4, 5:
			return "{namespaceSelector: " + selector() + "}"
		case 6:
			return "{namespaceSelector: " + selector() + ", podSelector: " + selector() + "}"
		}
		return "{podSelector: " + selector() + "}"
	}
	types := pick(4, "[Ingress]", "[Egress]", "[Ingress, Egress]", "[]", "[ingress]", "[Ingress, Ingress]", "[Ingress, Egress, Egress]", "['']")
	return fmt.Sprintf("{podSelector: %s, policyTypes: %s, ingress: [{from: [%s], ports: [%s]}], egress: [{to: [%s]}, {ports: [%s]}]}", selector(), types, peer(), port(), peer(), port())
}

func linesWith(text, word string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
