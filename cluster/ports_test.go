package cluster

import (
	"slices"
	"testing"
)

func TestFreePorts(t *testing.T) {
	t.Parallel()
	ports, err := FreePorts(50)
	if err != nil {
		t.Fatal(err)
	}
	if len(ports) != 50 {
		t.Fatalf("got %d ports", len(ports))
	}
	slices.Sort(ports)
	if len(slices.Compact(ports)) != 50 {
		t.Error("a port came twice")
	}
	if ports[0] <= 0 {
		t.Errorf("port %d", ports[0])
	}
}

func TestPortsFilled(t *testing.T) {
	t.Parallel()
	got, err := Ports{APIServer: 6443}.filled()
	if err != nil {
		t.Fatal(err)
	}
	if got.APIServer != 6443 {
		t.Errorf("the given port became %d", got.APIServer)
	}
	if got.Etcd == 0 || got.EtcdPeer == 0 || got.ControllerManager == 0 {
		t.Errorf("a port is missing: %+v", got)
	}
}
