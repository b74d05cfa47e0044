package cluster

import (
	"net/netip"
	"strings"
	"testing"
)

// TestRangeFrom: the range that is guessed is one that Resolve takes, and never
// holds the node's own address.
func TestRangeFrom(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ first, node, want string }{
		{"10.96.0.1", "10.0.0.10", "10.96.0.0/12"},
		{"10.96.0.1", "10.100.0.10", "10.96.0.0/16"},
		{"10.96.0.1", "10.96.3.10", "10.96.0.0/23"},
		{"10.43.0.1", "10.0.0.10", "10.43.0.0/16"},
		{"10.0.0.1", "10.0.5.10", "10.0.0.0/22"},
		{"192.168.7.129", "192.168.7.10", "192.168.7.128/25"},
		{"fd00::1", "fd00::1:10", "fd00::/112"},
		{"fd00::1", "fd00::a:10", "fd00::/112"},
		{"fd00::1", "fd00::100", "fd00::/120"},
	} {
		first, node := netip.MustParseAddr(test.first), netip.MustParseAddr(test.node)
		got := rangeFrom(first, node)
		if got.String() != test.want {
			t.Errorf("%s, node %s: %s, want %s", first, node, got, test.want)
		}
		if _, err := (Settings{Nodes: []NodeSettings{{"cp-1", test.node}}, ServiceCIDR: got.String()}).Resolve(); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}

// TestNodeAmongServices: kubeadm takes such a node, so that one that is there can
// still be checked and completed.
func TestNodeAmongServices(t *testing.T) {
	t.Parallel()
	for address, services := range map[string]string{
		"10.100.0.10": "", "10.0.0.10": "10.0.0.0/16", "fd00::10": "fd00::/112,10.96.0.0/12", "10.0.0.11": "10.96.0.0/12", "10.0.0.12": "",
	} {
		o := initOptions(t.TempDir())
		o.DryRun = true
		o.Settings.Nodes[0].Address, o.Settings.ServiceCIDR = address, services
		warnings := testInit(t, o).Warnings
		want := 1
		if address == "10.0.0.11" || address == "10.0.0.12" {
			want = 0
		}
		if len(warnings) != want || want == 1 && !strings.Contains(warnings[0], "address "+address+" of node \"cp-1\" is in the service range") {
			t.Errorf("%s in %s: %q", address, services, warnings)
		}
	}
}
