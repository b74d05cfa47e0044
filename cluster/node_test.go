package cluster

import (
	"errors"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

// TestResolveRefuses: settings that cannot be met are refused before anything is made.
func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	set := func(change func(*Settings)) Settings {
		s := Settings{Nodes: []NodeSettings{{"cp-1", "10.0.0.11"}}}
		change(&s)
		return s
	}
	endpoint := func(text string) Settings { return set(func(s *Settings) { s.Endpoint = text }) }
	services := func(text string) Settings { return set(func(s *Settings) { s.ServiceCIDR = text }) }
	name := func(text string) Settings { return set(func(s *Settings) { s.Nodes[0].Name = text }) }
	address := func(text string) Settings { return set(func(s *Settings) { s.Nodes[0].Address = text }) }
	version := func(text string) Settings { return set(func(s *Settings) { s.KubernetesVersion = text }) }
	periods := func(ca, leaf string) Settings {
		return set(func(s *Settings) { s.CAValidity, s.Validity = ca, leaf })
	}
	san := func(text string) Settings { return set(func(s *Settings) { s.SANs = []string{text} }) }
	for _, test := range []struct {
		what       string
		s          Settings
		says, hint string
	}{
		{"300 characters", endpoint(strings.Repeat("a", 300)), "(300 characters) is neither", "at most 253"},
		{"300 characters in labels", endpoint(strings.Repeat("abcdefghi.", 30) + "com:6443"), "is neither", "at most 253"},
		{"a scheme", endpoint("https://k8s.example.com:6443"), "is neither", "without https://"},
		{"a scheme without a port", endpoint("https://k8s.example.com"), "is neither", "without https://"},
		{"port 0", endpoint("k8s.example.com:0"), `port "0"`, "1 to 65535"},
		{"port 70000", endpoint("k8s.example.com:70000"), `port "70000"`, "1 to 65535"},
		{"signed port", endpoint("k8s.example.com:+6443"), `port "+6443"`, "1 to 65535"},
		{"no port after the colon", endpoint("k8s.example.com:"), `port ""`, "1 to 65535"},
		{"a port alone", endpoint(":6443"), "is neither", "k8s.example.com:6443"},
		{"a zone", endpoint("[fe80::1%eth0]:6443"), "is neither", "k8s.example.com:6443"},
		{"brackets around half", endpoint("fd00::1]:6443"), "is neither", "k8s.example.com:6443"},
		{"brackets not closed", endpoint("[fd00::1"), "is neither", "k8s.example.com:6443"},
		{"a misspelt address", endpoint("10.0.0.300:6443"), "is neither", "10.0.0.10:6443"},
		{"a misspelt address as another name", san("10.0.0.300"), "neither a DNS name nor", "10.0.0.10"},
		{"an address with a zone as another name", san("fe80::1%eth0"), "neither a DNS name nor", "without a zone"},
		{"an address as a node's name", name("10.0.0.11"), "no name of a host", "cp-1=10.0.0.11"},
		{"an unknown kind of key", set(func(s *Settings) { s.Key = "rsa2048" }), `"rsa2048"`, "ecdsa-p384, rsa-2048, rsa-3072, rsa-4096"},
		{"a name in brackets", endpoint("[k8s.example.com]:6443"), "is no IPv6 address", "leave the brackets out"},
		{"a name in brackets without a port", endpoint("[k8s.example.com]"), "is no IPv6 address", "leave the brackets out"},
		{"IPv4 in brackets", endpoint("[10.0.0.10]:6443"), "is no IPv6 address", "leave the brackets out"},
		{"every address", endpoint("0.0.0.0:6443"), "cannot be dialled", "10.0.0.10:6443"},
		{"every address of IPv6", endpoint("[::]:6443"), "cannot be dialled", "10.0.0.10:6443"},
		{"every address, bare", endpoint("::"), "cannot be dialled", "10.0.0.10:6443"},
		{"every address, mapped", endpoint("[::ffff:0.0.0.0]:6443"), "cannot be dialled", "10.0.0.10:6443"},
		{"a multicast endpoint", endpoint("224.0.0.1"), "cannot be dialled", "10.0.0.10:6443"},
		{"capitals", endpoint("K8s.Example.com"), "is neither", "lower case"},
		{"an underscore", endpoint("k8s_1.example.com"), "is neither", "lower case"},

		{"/32", services("10.96.0.0/32"), "too few addresses: 1", "at least 10 addresses"},
		{"/128", services("fd00::/128"), "too few addresses: 1", "at least 10"},
		{"/29", services("10.96.0.0/29"), "too few addresses: 8", "at least 10"},
		{"/11", services("10.96.0.0/11"), "too large", "/12"},
		{"/107", services("fd00::/107"), "too large", "/108"},
		{"/0", services("0.0.0.0/0"), "too large", "/12"},
		{"loopback", services("127.0.0.0/16"), "no addresses that can be dialled", "10.96.0.0/12"},
		{"multicast", services("224.0.0.0/12"), "no addresses that can be dialled", "10.96.0.0/12"},
		{"unspecified", services("0.1.2.3/12"), "no addresses that can be dialled", "10.96.0.0/12"},
		{"unspecified of IPv6", services("10.96.0.0/12,::/112"), "no addresses that can be dialled", "10.96.0.0/12"},
		{"multicast of IPv6", services("10.96.0.0/12,ff02::/112"), "no addresses that can be dialled", "10.96.0.0/12"},
		{"a small second one", services("10.96.0.0/12,fd00::/126"), "too few addresses: 4", "at least 10"},
		{"three", services("10.96.0.0/16,fd00::/112,10.97.0.0/16"), "do not go together", "one of IPv4 and one of IPv6"},
		{"two of IPv4", services("10.96.0.0/16,10.97.0.0/16"), "do not go together", "one of IPv4 and one of IPv6"},
		{"an address", services("10.96.0.1"), "cannot be read", "10.96.0.0/12"},
		{"a space", services("10.96.0.0/12, fd00::/112"), "cannot be read", "10.96.0.0/12"},
		{"mapped", services("::ffff:10.96.0.0/112"), "cannot be read", "10.96.0.0/12"},
		{"a zone in a range", services("fe80::%eth0/112"), "cannot be read", "10.96.0.0/12"},
		{"IPv6 for a node of IPv4", services("fd00::/112"), "different families", "--service-cidr"},
		{"IPv6 first", services("fd00::/112,10.96.0.0/12"), "different families", "--service-cidr"},

		{"upper case", name("CP-1"), "cannot be used", "lower-case"},
		{"underscore", name("cp_1"), "cannot be used", "lower-case"},
		{"60 characters", name(strings.Repeat("n", 60)), "has 60 characters", "52 characters"},
		{"300 characters in a name", name(strings.Repeat("n", 300)), "cannot be used", "lower-case"},
		{"a path", name("../x"), "cannot be used", "lower-case"},

		{"loopback", address("127.0.0.1"), "cannot be dialled", "10.0.0.10"},
		{"loopback of IPv6", address("::1"), "cannot be dialled", "10.0.0.10"},
		{"mapped loopback", address("::ffff:127.0.0.1"), "cannot be dialled", "10.0.0.10"},
		{"unspecified", address("0.0.0.0"), "cannot be dialled", "10.0.0.10"},
		{"unspecified of IPv6", address("::"), "cannot be dialled", "10.0.0.10"},
		{"multicast", address("ff02::1"), "cannot be dialled", "10.0.0.10"},
		{"broadcast", address("255.255.255.255"), "cannot be dialled", "10.0.0.10"},
		{"the service's own", address("10.96.0.1"), "is that of the service kubernetes", "--service-cidr"},
		{"the service's own, mapped", address("::ffff:10.96.0.1"), "is that of the service kubernetes", "--service-cidr"},
		{"link-local", address("fe80::1"), "cannot be dialled", "10.0.0.10"},
		{"a zone in an address", address("fe80::1%eth0"), "is not an IP address", "fd00::10"},
		{"a name for an address", address("cp-1.example.com"), "is not an IP address", "10.0.0.10"},
		{"an address with a port", address("10.0.0.11:6443"), "is not an IP address", "10.0.0.10"},

		{"nonsense", version("newest"), `"newest" cannot be read`, "v1.36.3"},
		{"no patch", version("1.36"), "cannot be read", "v1.36.3"},
		{"another major", version("v2.0.0"), "cannot be read", "v1.36.3"},
		{"a huge version", version("v1." + strings.Repeat("9", 40) + ".0"), "cannot be read", "v1.36.3"},

		{"longer than the CA", periods("1y", "2y"), "would outlive their CA", "--ca-validity"},
		{"longer than the CA by default", periods("30d", ""), "would outlive their CA", "--validity"},
		{"negative", periods("", "-1h"), "is negative", "90d"},
		{"negative for the CA", periods("-1y", ""), "is negative", "90d"},
		{"too long", periods("9999999y", ""), "is too long", "90d"},
		{"zero", periods("", "0d"), "is zero", "90d"},
		{"a word", periods("", "soon"), "is not a number", "90d"},

		{"an empty name", san(""), "not a DNS name", ""},
		{"a URL", san("https://x"), "not a DNS name", ""},
		{"a wildcard inside", san("a.*.example.com"), "wildcard", ""},
		{"300 characters for a name", san(strings.Repeat("a.", 150) + "com"), "not a DNS name", ""},

		{"Ed25519", set(func(s *Settings) { s.Key = "ed25519" }), "cannot serve a control plane", "ecdsa-p256"},
		{"RSA-1024", set(func(s *Settings) { s.Key = "rsa-1024" }), "rsa-1024", ""},
		{"port", set(func(s *Settings) { s.Port = -1 }), "port -1", "1 to 65535"},
		{"large port", set(func(s *Settings) { s.Port = 65536 }), "port 65536", "1 to 65535"},
		{"domain", set(func(s *Settings) { s.DNSDomain = "Cluster.Local" }), "DNS domain", "cluster.local"},
		{"long domain", set(func(s *Settings) { s.DNSDomain = strings.Repeat("abcdefghi.", 25) + "abc" }), "not a DNS name", ""},
		{"cluster", set(func(s *Settings) { s.Name = "my cluster" }), "cluster name", "letters"},
		{"long cluster", set(func(s *Settings) { s.Name = strings.Repeat("c", 300) }), "cluster name", "letters"},
		{"escape", set(func(s *Settings) { s.Name = "\x1b[31m" }), "cluster name", "letters"},
		{"a node twice", set(func(s *Settings) {
			s.Endpoint, s.Nodes = "x", []NodeSettings{{"a", "10.0.0.1"}, {"a", "10.0.0.2"}}
		}), `"a" is given twice`, "once"},
		{"an address twice", set(func(s *Settings) {
			s.Endpoint, s.Nodes = "x", []NodeSettings{{"a", "10.0.0.1"}, {"b", "::ffff:10.0.0.1"}}
		}), "have the same address", "NAME=ADDRESS"},
		{"no endpoint", set(func(s *Settings) { s.Nodes = []NodeSettings{{"a", "10.0.0.1"}, {"b", "10.0.0.2"}} }), "no endpoint in common", "--endpoint"},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			_, err := test.s.Resolve()
			var known *failure.Error
			if !errors.As(err, &known) || known.Kind != failure.Usage || !strings.Contains(err.Error(), test.says) ||
				!strings.Contains(known.Hint, test.hint) || len(err.Error()) > 300 || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestResolve reads the forms that settings may have.
func TestResolve(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"k8s.example.com":      "k8s.example.com:7443",
		"k8s.example.com:6443": "k8s.example.com:6443",
		"10.0.0.100":           "10.0.0.100:7443",
		"fd00::1":              "[fd00::1]:7443",
		"[fd00::1]":            "[fd00::1]:7443",
		"[fd00:0::1]:06443":    "[fd00::1]:6443",
		"::ffff:10.0.0.9":      "10.0.0.9:7443",
	} {
		nodes, err := Settings{Nodes: []NodeSettings{{"cp-1", "10.0.0.11"}}, Port: 7443, Endpoint: text}.Resolve()
		if err != nil || nodes[0].Endpoint != want {
			t.Errorf("endpoint %q is %v (%v), want %s", text, nodes, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "10.96.0.1", "10.96.0.0/28": "10.96.0.1", "10.97.3.4/16": "10.97.0.1", "10.96.0.0/12,fd00::/108": "10.96.0.1",
	} {
		nodes, err := Settings{Nodes: []NodeSettings{{"cp-1", "10.0.0.11"}}, ServiceCIDR: text}.Resolve()
		if err != nil || nodes[0].ServiceIP.String() != want {
			t.Errorf("services %q: %v (%v), want %s", text, nodes, err, want)
		}
	}
	for text, want := range map[string]string{"fd00:96::/112": "fd00:96::1", "fd00::/124,10.96.0.0/12": "fd00::1"} {
		nodes, err := Settings{Nodes: []NodeSettings{{"cp-1", "fd00::11"}}, ServiceCIDR: text}.Resolve()
		if err != nil || nodes[0].ServiceIP.String() != want || nodes[0].localURL() != "https://[fd00::11]:6443" {
			t.Errorf("services %q: %v (%v), want %s", text, nodes, err, want)
		}
	}
	nodes, err := Settings{Nodes: []NodeSettings{{"cp-1", "10.0.0.11"}}, CAValidity: "5y", Validity: "5y"}.Resolve()
	if err != nil || nodes[0].CAValidity != nodes[0].Validity || nodes[0].Validity == DefaultValidity {
		t.Errorf("periods that are the same: %v (%v)", nodes, err)
	}
}

// TestDuplicateNames: a name that is given twice, or that the node has anyway,
// is in the certificate once.
func TestDuplicateNames(t *testing.T) {
	t.Parallel()
	s := Settings{
		Nodes: []NodeSettings{{"cp-1", "10.0.0.11"}}, Endpoint: "api.example.com:6443",
		SANs:           []string{"api.example.com", "api.example.com", "cp-1", "10.96.0.1", "::ffff:10.0.0.11", "10.0.0.11", "kubernetes", "*.example.com"},
		EtcdServerSANs: []string{"localhost", "127.0.0.1", "::1", "0:0::1", "cp-1", "10.0.0.11"},
	}
	nodes, err := s.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"apiserver":   "cp-1 kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local api.example.com *.example.com 10.96.0.1 10.0.0.11",
		"etcd/server": "cp-1 localhost 10.0.0.11 127.0.0.1 ::1",
	} {
		sans, err := entryOf(t, name).SANs(nodes[0])
		if got := strings.Join(sans.Strings(), " "); err != nil || got != want {
			t.Errorf("%s: %s (%v)", name, got, err)
		}
	}
}
