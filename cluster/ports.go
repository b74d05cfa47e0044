package cluster

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// loopback is the only address that anything here listens on.
const loopback = "127.0.0.1"

// Ports are the ports on 127.0.0.1. Zero asks Start to choose a free one.
type Ports struct {
	APIServer         int `json:"apiServer,omitempty"`
	Etcd              int `json:"etcd,omitempty"`
	EtcdPeer          int `json:"etcdPeer,omitempty"`
	ControllerManager int `json:"controllerManager,omitempty"`
}

// PortError says that a component cannot have its port.
type PortError struct {
	Component string
	Port      int
	Chosen    bool // by Start, not by the caller
	Err       error
}

// Error names the port and who wanted it.
func (e *PortError) Error() string {
	return fmt.Sprintf("port %d, meant for %s, cannot be used: %v", e.Port, e.Component, e.Err)
}

// Unwrap returns what the system said about the port.
func (e *PortError) Unwrap() error { return e.Err }

// FreePorts returns n different ports that were free on 127.0.0.1 a moment
// ago. It is for callers that must know a port before they call Start, such as
// to write the URL into a kubeconfig. Nothing reserves the ports: another
// process may still be quicker.
func FreePorts(n int) (ports []int, err error) {
	// All listeners stay open until the last port is known; that is what makes
	// the ports different.
	var held []net.Listener
	defer func() {
		for _, l := range held {
			err = errors.Join(err, l.Close())
		}
	}()
	for range n {
		l, err := net.Listen("tcp4", address(0))
		if err != nil {
			return nil, fmt.Errorf("choosing a free port: %w", err)
		}
		held = append(held, l)
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// filled returns the ports with a free one in the place of every zero.
func (p Ports) filled() (Ports, error) {
	all := []*int{&p.APIServer, &p.Etcd, &p.EtcdPeer, &p.ControllerManager}
	free, err := FreePorts(len(all))
	if err != nil {
		return Ports{}, err
	}
	for i, port := range all {
		if *port == 0 {
			*port = free[i]
		}
	}
	return p, nil
}

// has says whether port is one of the ports.
func (p Ports) has(port int) bool {
	return port == p.APIServer || port == p.Etcd || port == p.EtcdPeer || port == p.ControllerManager
}

// checkPort finds out whether the port can be listened on, by doing it.
func checkPort(port int) error {
	l, err := net.Listen("tcp4", address(port))
	if err != nil {
		return err
	}
	return l.Close()
}

func address(port int) string { return net.JoinHostPort(loopback, portString(port)) }

func portString(port int) string { return strconv.Itoa(port) }

func httpsURL(port int) string { return "https://" + address(port) }
