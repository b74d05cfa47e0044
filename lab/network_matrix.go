package lab

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/yamlfile"
	"github.com/pkictl/pkictl/lab/networkpolicy"
)

// maxProbes is how many connections a check may ask for: what takes some ten
// milliseconds.
const maxProbes = 20000

// readConnections reads the connections that a check asks for. Each row stands for all
// connections from, to and on what it names:
//
//	{from: [shop/cart-*, "!shop/cart-9"], to: outside/*, ports: [80, 53/UDP]}
//
// A name may hold *, which stands for any letters but /; one that begins with ! takes
// away. What a pod sends to itself, and one address outside to another, is left out.
func (c *networkPolicyCheck) readConnections(p *params, flows string, allowed, denied *yaml.Node) error {
	if flows != "" {
		open, err := c.cluster.readFlows(p, flows)
		if err != nil {
			return p.At(p.node, err)
		}
		c.matrix = append(c.matrix, open...)
	}
	for _, rows := range []struct {
		node *yaml.Node
		what string
		open bool
	}{{allowed, "allowed", true}, {denied, "denied", false}} {
		if rows.node == nil {
			continue
		}
		err := p.elements(rows.node, rows.what, func(n *yaml.Node) error { return c.readRow(p, n, rows.open) })
		if err != nil {
			return err
		}
	}
	if len(c.matrix) == 0 {
		return p.ErrorAt(p.node, "give it flows, allowed or denied", "%s asks for no connection", p.what)
	}
	return c.contradiction(p)
}

func (c *networkPolicyCheck) readRow(p *params, n *yaml.Node, open bool) error {
	if err := p.need(n, "a row of connections", "from", "to", "ports"); err != nil {
		return err
	}
	var from, to []networkpolicy.End
	var ports []networkpolicy.Port
	err := p.Mapping(n, "a row of connections",
		yamlfile.Key{Name: "from", Read: func(n *yaml.Node) (err error) { from, err = c.cluster.ends(p, n, "from"); return err }},
		yamlfile.Key{Name: "to", Read: func(n *yaml.Node) (err error) { to, err = c.cluster.ends(p, n, "to"); return err }},
		yamlfile.Key{Name: "ports", Read: func(n *yaml.Node) (err error) { ports, err = readPorts(p, n); return err }},
	)
	if err != nil {
		return err
	}
	before := len(c.matrix)
	for _, from := range from {
		for _, to := range to {
			if from.Pod == to.Pod || from.IP.Is4() != to.IP.Is4() {
				continue // the same pod, both outside, or of two families
			}
			for _, port := range ports {
				c.matrix = append(c.matrix, probe{networkpolicy.Connection{From: from, To: to, Port: port.Number, Protocol: port.Protocol}, open})
			}
		}
		if len(c.matrix) > maxProbes {
			return p.ErrorAt(n, "name fewer ends or ports", "the check has more than %d connections", maxProbes)
		}
	}
	if len(c.matrix) == before {
		return p.ErrorAt(n, "name two ends that differ", "the row stands for no connection")
	}
	return nil
}

// contradiction finds a connection that is to be open and closed.
func (c *networkPolicyCheck) contradiction(p *params) error {
	open := map[networkpolicy.Connection]bool{}
	for _, probe := range c.matrix {
		if was, again := open[probe.Connection]; again && was != probe.open {
			return p.ErrorAt(p.node, `take it from one of the rows, as in from: [shop/*, "!shop/cart"]`, "%s is both allowed and denied", probe.Connection)
		}
		open[probe.Connection] = probe.open
	}
	return nil
}

// readPorts reads a port or a list of ports.
func readPorts(p *params, n *yaml.Node) (ports []networkpolicy.Port, err error) {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	for _, n := range nodes {
		port, ok := parsePort(n.Value)
		if !ok {
			return nil, p.ErrorAt(n, "write it as in 80 or 53/UDP", "%q is no port", n.Value)
		}
		if ports = append(ports, port); len(ports) > maxPorts {
			return nil, p.ErrorAt(n, "name fewer ports", "there are more than %d ports", maxPorts)
		}
	}
	return ports, nil
}

// ends reads who connects, or where: one name or a list of them.
func (c *networkCluster) ends(p *params, n *yaml.Node, what string) ([]networkpolicy.End, error) {
	names := []string{n.Value}
	if n.Kind == yaml.SequenceNode {
		var err error
		if names, err = p.Texts(n, what); err != nil {
			return nil, err
		}
	}
	chosen := map[string]bool{}
	for _, name := range names {
		pattern, without := strings.CutPrefix(name, "!")
		count := 0
		for _, known := range c.names() {
			ok, err := path.Match(pattern, known)
			// */* are all pods.
			ok = ok && isOutside(pattern) == isOutside(known)
			if err != nil {
				return nil, p.ErrorAt(n, "write NAMESPACE/POD, where * stands for any letters", "%q is no name", name)
			}
			if ok {
				chosen[known] = !without
				count++
			}
		}
		if count == 0 {
			return nil, p.ErrorAt(n, "write NAMESPACE/POD or "+outsideCluster+"/NAME, where * stands for any letters", "%q is nobody in the cluster", name)
		}
	}
	var ends []networkpolicy.End
	for _, known := range c.names() {
		if chosen[known] {
			ends = append(ends, c.endsNamed(known)...)
		}
	}
	return ends, nil
}

func isOutside(name string) bool { return strings.HasPrefix(name, outsideCluster+"/") }

// names lists whoever is in the cluster and outside.
func (c *networkCluster) names() (names []string) {
	for i := range c.Pods {
		names = append(names, c.Pods[i].String())
	}
	for _, name := range slices.Sorted(maps.Keys(c.outside)) {
		names = append(names, outsideCluster+"/"+name)
	}
	return names
}

// endsNamed returns one end for each address.
func (c *networkCluster) endsNamed(name string) (ends []networkpolicy.End) {
	if outside, ok := strings.CutPrefix(name, outsideCluster+"/"); ok {
		return []networkpolicy.End{{IP: c.outside[outside]}}
	}
	pod := c.pod(name)
	for _, ip := range pod.IPs {
		ends = append(ends, networkpolicy.End{Pod: pod, IP: ip})
	}
	return ends
}

// endBetween returns the end that a pod or an address is, for a connection with another.
func endBetween(pod *networkpolicy.Pod, with networkpolicy.End) (networkpolicy.End, error) {
	for _, ip := range pod.IPs {
		if ip.Is4() == with.IP.Is4() {
			return networkpolicy.End{Pod: pod, IP: ip}, nil
		}
	}
	return networkpolicy.End{}, fmt.Errorf("%s has no address like %s", pod, with.IP)
}
