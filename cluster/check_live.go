package cluster

import (
	"bytes"
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// Ports that components listen on where nothing says otherwise
// (cmd/kubeadm/app/constants/constants.go).
const (
	etcdPort              = 2379
	kubeletPort           = 10250
	controllerManagerPort = 10257
	schedulerPort         = 10259
)

// liveWorkers is how many servers are called at once.
const liveWorkers = 8

// call is one server to ask.
type call struct {
	node      *CheckedNode
	component string
	entry     string // that it should show; empty: none of the layout
	address   string
	host      string // the name that is asked for
	mustRun   bool   // else it is only noted that nothing answers

	certs   []*x509.Certificate
	err     error
	refused error // that etcd does not accept the client certificate
}

// checkLive asks the components what they show and accept.
func (c *checker) checkLive(ctx context.Context) error {
	for _, n := range c.report.Nodes {
		if err := n.findLocal(); err != nil {
			return err
		}
	}
	calls, err := c.calls()
	if err != nil {
		return err
	}
	handed := &handedOut{}
	callAll(ctx, len(calls)+1, func(i int) {
		if i == len(calls) {
			c.askHandedOut(ctx, handed)
			return
		}
		c.ask(ctx, calls[i])
	})
	for _, call := range calls {
		c.judge(call)
	}
	c.judgeHandedOut(handed)
	return nil
}

// callAll asks n servers, a few at a time.
func callAll(ctx context.Context, n int, do func(i int)) {
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(n, liveWorkers) {
		wait.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		if ctx.Err() == nil {
			next <- i
		}
	}
	close(next)
	wait.Wait()
}

// calls are the servers to ask: those that were named, or those that the files
// say. What listens on the loopback address alone is asked on the node itself.
func (c *checker) calls() ([]*call, error) {
	var list []*call
	for _, n := range c.report.Nodes {
		servers, err := c.addresses(n, c.o.Servers, n.apiServers)
		if err != nil {
			return nil, err
		}
		etcd, err := c.addresses(n, c.o.Etcd, n.etcds)
		if err != nil {
			return nil, err
		}
		kubelets, err := c.addresses(n, c.o.Kubelets, n.kubelets)
		if err != nil {
			return nil, err
		}
		for _, address := range servers {
			list = append(list, &call{node: n, component: ComponentAPIServer, entry: nameAPIServer, address: address, mustRun: true})
		}
		for _, address := range etcd {
			list = append(list, &call{node: n, component: ComponentEtcd, entry: nameEtcdServer, address: address, mustRun: true})
		}
		for _, address := range kubelets {
			list = append(list, &call{node: n, component: "kubelet", address: address, mustRun: c.o.Kubelets != nil})
		}
		switch {
		case n.local != nil && n.local.ControllerManager != 0:
			list = append(list, &call{node: n, component: ComponentControllerManager, address: address(n.local.ControllerManager)})
		case n.local == nil && n.isHere():
			list = append(list,
				&call{node: n, component: ComponentControllerManager, address: address(controllerManagerPort)},
				&call{node: n, component: "kube-scheduler", address: address(schedulerPort)})
		}
	}
	for _, call := range list {
		call.host, _, _ = net.SplitHostPort(call.address) // it was checked
	}
	return list, nil
}

// addresses checks those that were named, or returns the node's own. Those that
// were named are asked once, for the first node.
func (c *checker) addresses(n *CheckedNode, named []string, own func() []string) ([]string, error) {
	if named == nil {
		return own(), nil
	}
	for _, address := range named {
		host, port, err := net.SplitHostPort(address)
		if number, atoi := strconv.Atoi(port); err != nil || host == "" || atoi != nil || number < 1 || number > 65535 {
			return nil, failure.New(failure.Usage, "write it like 127.0.0.1:6443", "%s is not HOST:PORT", shown(address))
		}
	}
	if n != c.report.Nodes[0] {
		return nil, nil
	}
	return named, nil
}

// findLocal finds the control plane that cluster up runs on the directory.
func (n *CheckedNode) findLocal() error {
	d := runDirOf(n.Dir)
	held, err := d.isHeld()
	if err != nil || !held {
		return err
	}
	s, err := d.read()
	if err == nil && s != nil && s.Phase == phaseReady {
		n.local = &s.Ports
	}
	return err
}

// apiServers are what the node's kubeconfigs dial, and on the node itself its
// loopback address. The endpoint may lead to another node, which has a
// certificate of its own: it is not asked where there are several.
func (n *CheckedNode) apiServers() []string {
	if n.local != nil {
		return []string{address(n.local.APIServer)}
	}
	list := n.at(n.node.Port)
	if n.isHere() {
		list = append(list, address(n.node.Port))
	}
	if len(list) == 0 && n.node.Endpoint != "" {
		list = append(list, n.node.Endpoint)
	}
	return list
}

func (n *CheckedNode) etcds() []string {
	switch {
	case n.node.ExternalEtcd:
		return nil
	case n.local != nil:
		return []string{address(n.local.Etcd)}
	}
	return n.at(etcdPort)
}

func (n *CheckedNode) kubelets() []string {
	if n.local != nil {
		return nil
	}
	return n.at(kubeletPort)
}

func (n *CheckedNode) at(port int) []string {
	if !n.node.Address.IsValid() {
		return nil
	}
	return []string{hostPort(n.node.Address, port)}
}

// isHere says whether the node is this machine.
func (n *CheckedNode) isHere() bool {
	addresses, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(addresses, func(addr net.Addr) bool {
		prefix, err := netip.ParsePrefix(addr.String())
		return err == nil && prefix.Addr().Unmap() == n.node.Address
	})
}

// ask gets the certificate of a server. It is looked at, not trusted; etcd is
// then asked whether it accepts its clients, if it is known.
func (c *checker) ask(ctx context.Context, call *call) {
	call.certs, call.err = kubeclient.Served(ctx, kubeclient.Endpoint{Address: call.address, Host: call.host}, c.o.Timeout)
	if call.component == ComponentEtcd && call.err == nil {
		call.refused = c.askEtcd(ctx, call)
	}
}

// judge compares what a server shows with what is on disk.
func (c *checker) judge(call *call) {
	c.assign(call)
	n := call.node
	shown := CheckedServer{Component: call.component, Address: call.address, Entry: call.entry}
	d := Difference{Entry: call.entry, File: call.address, Field: FieldServed}
	if call.err != nil {
		d.Wanted, d.Found = call.component, reasonOf(call.err)
		shown.Error = d.Found
		n.Servers = append(n.Servers, shown)
		if call.mustRun {
			c.find(n, d, "", "see whether it runs: crictl ps --name "+call.component+"; or say where it listens with: "+call.flag()+" HOST:PORT")
		} else {
			c.note(n, d, "see whether it runs, if it should")
		}
		return
	}
	cert := call.certs[0]
	end := cert.NotAfter.UTC()
	shown.Serial, shown.SignedBy, shown.NotAfter = ca.FormatSerial(cert.SerialNumber), ca.FormatName(cert.RawIssuer), &end
	if call.entry == "" {
		c.judgeOwn(call)
	} else {
		shown.Current = c.judgeEntry(call)
	}
	n.Servers = append(n.Servers, shown)
}

// assign finds the node of a server that was named by its address: the one that
// has its certificate.
func (c *checker) assign(call *call) {
	for _, n := range c.report.Nodes {
		if found := n.found(call.entry); found != nil && found.Certificate != nil && call.certs != nil && call.certs[0].Equal(found.Certificate) {
			call.node = n
			return
		}
	}
}

// found is an entry of the node; nil where it has none of that name.
func (n *CheckedNode) found(name string) *Found {
	for _, e := range n.Entries {
		if e.Name == name {
			return e.found
		}
	}
	return nil
}

func (call *call) flag() string {
	return map[string]string{ComponentAPIServer: "--server", ComponentEtcd: "--etcd", "kubelet": "--kubelet"}[call.component]
}

// reasonOf returns the cause of an error whose own line names the server.
func reasonOf(err error) string {
	text := err.Error()
	if _, cause, has := strings.Cut(text, ": "); has {
		return cause
	}
	return text
}

// judgeEntry says whether a component shows what is on disk.
func (c *checker) judgeEntry(call *call) bool {
	n, cert := call.node, call.certs[0]
	found := n.found(call.entry)
	if found == nil {
		return false
	}
	d := Difference{Entry: call.entry, File: call.address, Field: FieldServed}
	isCurrent := found.Certificate != nil && bytes.Equal(found.Certificate.Raw, cert.Raw)
	switch certs := n.certs[found.Entry.CA]; {
	case isCurrent:
	case certs != nil && !c.isBy(call, certs):
		d.Wanted = "a certificate by " + showCA(certs[0])
		d.Found = "one by another CA, " + ca.FormatName(cert.RawIssuer) + ", with serial " + ca.FormatSerial(cert.SerialNumber)
		c.find(n, d, "", "this is another cluster, or the CA on disk is another: compare them before anything is restarted")
	case found.Certificate != nil:
		d.Wanted = "the certificate on disk, which ends " + c.showEnd(found.Certificate)
		d.Found = "another with serial " + ca.FormatSerial(cert.SerialNumber) + ", which ends " + c.showEnd(cert)
		c.find(n, d, "", "it takes a new one from the disk within a minute; if it does not, restart "+call.component+" on node "+n.Node)
	}
	if call.refused != nil {
		d.Wanted, d.Found = "that it accepts "+nameEtcdHealth, reasonOf(call.refused)
		c.find(n, d, "", "etcd goes by another CA than that on disk: restart it, or restore the CA from a backup")
	}
	return isCurrent
}

func (c *checker) isBy(call *call, roots []*x509.Certificate) bool {
	_, check := ca.Roots{Name: "disk", Certificates: roots}.Check(call.certs[0], call.certs[1:], c.o.Now)
	return check.Status == ca.CheckOK
}

// judgeOwn looks at a certificate that is not in the cluster directory: kubelets,
// the controller manager and the scheduler make their own.
func (c *checker) judgeOwn(call *call) {
	n, cert := call.node, call.certs[0]
	d := Difference{File: call.address, Field: FieldServed, Wanted: "a certificate of " + call.component + " that stays valid", Found: "one that ends " + c.showEnd(cert)}
	if c.o.Now.After(cert.NotAfter) || c.o.Now.Before(cert.NotBefore) || c.o.endsSoon(cert.NotBefore, cert.NotAfter) {
		if call.component == "kubelet" {
			c.find(n, d, "", "remove /var/lib/kubelet/pki/kubelet.crt and kubelet.key, and restart the kubelet; where it has serverTLSBootstrap, approve its request: pkictl csr list")
		} else { // probes do not verify it
			c.note(n, d, "it makes a new one when it starts: restart "+call.component)
		}
		return
	}
	if certs := n.certs[NameCA]; call.component == "kubelet" && certs != nil && !c.isBy(call, certs) {
		d.Wanted, d.Found = "a certificate by the CA of the cluster", "one by "+ca.FormatName(cert.RawIssuer)+", as kubelets make it themselves"
		c.note(n, d, "the API server does not verify kubelets then (CIS 1.2.5); see serverTLSBootstrap in the kubelet's configuration")
	}
}

// hostOf is HOST:PORT of a URL, with the port that https has without one.
func hostOf(server *url.URL) string {
	port := server.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(server.Hostname(), port)
}
