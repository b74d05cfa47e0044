package cluster

import (
	"crypto/x509"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

func TestParseSet(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"kube-apiserver.v=4":                              {ComponentAPIServer, "--v=4"},
		"etcd.log-level=debug":                            {ComponentEtcd, "--log-level=debug"},
		"kube-apiserver.feature-gates=A=true,B=false":     {ComponentAPIServer, "--feature-gates=A=true,B=false"},
		"kube-controller-manager.controllers=":            {ComponentControllerManager, "--controllers="},
		"kube-apiserver.audit-policy-file=/a b/p.yaml":    {ComponentAPIServer, "--audit-policy-file=/a b/p.yaml"},
		"kube-apiserver.authorization-config=./authz.yml": {ComponentAPIServer, "--authorization-config=./authz.yml"},
	} {
		component, arg, err := ParseSet(text)
		if err != nil || component != want[0] || arg != want[1] {
			t.Errorf("%q: %q %q %v", text, component, arg, err)
		}
	}
	for text, want := range map[string]string{
		"":                            "COMPONENT.FLAG=VALUE",
		"kube-apiserver":              "COMPONENT.FLAG=VALUE",
		"kube-apiserver.v":            "COMPONENT.FLAG=VALUE",
		"kube-apiserver=4":            "COMPONENT.FLAG=VALUE",
		"kube-apiserver.=4":           "COMPONENT.FLAG=VALUE",
		".v=4":                        "COMPONENT.FLAG=VALUE",
		"kube-apisever.v=4":           `no component "kube-apisever"`,
		"kube-scheduler.v=4":          `no component "kube-scheduler"`,
		"kube-apiserver.--v=4":        `"--v" is not the name of a flag`,
		"kube-apiserver.v v=4":        `"v v" is not the name of a flag`,
		"kube-apiserver.secure-port=": "secure-port of kube-apiserver cannot be set",
		"etcd.data-dir=/x":            "data-dir of etcd cannot be set",
	} {
		_, _, err := ParseSet(text)
		if err == nil || !strings.Contains(err.Error(), want) || failure.KindOf(err) != failure.Usage || failure.HintOf(err) == "" {
			t.Errorf("%q: %v, hint %q, want %q", text, err, failure.HintOf(err), want)
		}
	}
}

// FuzzParseSet: what is taken is one flag of one component, whatever it is given.
func FuzzParseSet(f *testing.F) {
	for _, seed := range []string{"kube-apiserver.v=4", "etcd.a.b=c", "kube-apiserver.--v=4", "x.y=z", "=", ".", "etcd.é=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		component, arg, err := ParseSet(text)
		if err != nil {
			return
		}
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if component+"."+name+"="+value != text || strings.ContainsAny(name, " -=") && strings.HasPrefix(name, "-") || flagName(arg) != name {
			t.Errorf("%q became %q of %q", text, arg, component)
		}
	})
}

func TestParsePort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"auto": 0, "1": 1, "6443": 6443, "65535": 65535} {
		if port, err := ParsePort(text); port != want || err != nil {
			t.Errorf("%q: %d, %v", text, port, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "65536", "http", "6443 ", "Auto"} {
		if port, err := ParsePort(text); failure.KindOf(err) != failure.Usage || err == nil {
			t.Errorf("%q: %d, %v", text, port, err)
		}
	}
}

func TestServiceRangeOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		ips  string
		want string
	}{
		{"kubeadm's default", "10.96.0.1 10.0.0.10", "10.96.0.0/12"},
		{"the default, behind others", "192.168.0.17 10.0.0.1 10.96.0.1", "10.96.0.0/12"},
		{"another range", "10.32.0.1 10.0.0.10", "10.32.0.0/16"},
		{"a small one", "192.168.7.129 10.0.0.10", "192.168.7.128/25"},
		{"the node is the gateway", "172.20.0.1 10.0.0.1", "172.20.0.0/16"},
		{"the node comes first", "10.0.0.10 10.43.0.1", "10.43.0.0/16"},
		{"IPv6", "fd00:96::1 fd00::10", "fd00:96::/112"},
		{"IPv6 in the middle", "fd00::a:1 10.0.0.10", "fd00::a:0/112"},
		{"loopback is none", "127.0.0.1 ::1 10.0.0.10", ""},
		{"the node is the first of a range of eight", "10.0.0.9 10.43.0.1", "10.43.0.0/16"},
		{"no addresses", "", ""},
		{"nothing begins there", "10.0.0.10 10.0.0.11", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cert := &x509.Certificate{}
			for _, ip := range strings.Fields(tt.ips) {
				cert.IPAddresses = append(cert.IPAddresses, net.ParseIP(ip))
			}
			if got := serviceRangeOf(cert); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// FuzzServiceRangeOf: a range that is found begins just before an address of the
// certificate, and has room for services.
func FuzzServiceRangeOf(f *testing.F) {
	f.Add([]byte{10, 96, 0, 1}, []byte{10, 0, 0, 10})
	f.Add([]byte{0, 0, 0, 0}, []byte{255, 255, 255, 255})
	f.Add([]byte(net.ParseIP("fd00::1")), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		found := serviceRangeOf(&x509.Certificate{IPAddresses: []net.IP{a, b}})
		if found == "" {
			return
		}
		prefix, err := netip.ParsePrefix(found)
		if err != nil || prefix.Masked() != prefix || prefix.Addr().BitLen()-prefix.Bits() < minServiceBits {
			t.Fatalf("%v and %v: %q, %v", a, b, found, err)
		}
		first := prefix.Addr().Next()
		for _, ip := range []net.IP{a, b} {
			if addr, ok := netip.AddrFromSlice(ip); ok && addr.Unmap() == first {
				return
			}
		}
		t.Errorf("%v and %v: %q", a, b, found)
	})
}
