package cluster

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// make makes what is missing, or is to be repaired, and writes it, one node
// after the other: the first has the new CAs.
func (p *initPlan) make(result *InitResult) error {
	jobs := p.jobs()
	if err := inParallel(jobs.first); err != nil {
		return err
	}
	if err := inParallel(jobs.then); err != nil {
		return err
	}
	for _, n := range p.nodes {
		if err := p.write(n, jobs.of[n]); err != nil {
			return err
		}
		result.Warnings = append(result.Warnings, jobs.of[n].warnings...)
	}
	return nil
}

// made is what was made for one node and is to be written.
type made struct {
	mu       sync.Mutex
	members  []ca.Member
	files    []store.File
	warnings []string
}

func (m *made) add(member ca.Member, warnings ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.members = append(m.members, member)
	m.warnings = append(m.warnings, warnings...)
}

func (m *made) addFiles(files ...store.File) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files = append(m.files, files...)
}

// jobs are functions that may run at the same time: keys take their time to make.
type jobs struct {
	first, then []func() error // the CAs; what they sign
	of          map[*nodePlan]*made
}

func (p *initPlan) jobs() jobs {
	j := jobs{of: map[*nodePlan]*made{}}
	for i, n := range p.nodes {
		into := &made{}
		j.of[n] = into
		for _, item := range n.items {
			switch {
			case item.isSigned():
				j.then = append(j.then, func() error { return p.makeLeaf(n, item, into) })
			case i > 0 || (item.state != StateMade && item.state != StateRepaired): // made for the first, copied to others
			case item.entry.Kind == KindCA:
				p.authorities[item.entry.Name] = &authority{}
				j.first = append(j.first, func() error { return p.makeCA(n, item, into) })
			}
		}
		for _, item := range n.items {
			if i == 0 && item.entry.Kind == KindKeyPair && (item.state == StateMade || item.state == StateRepaired) {
				j.then = append(j.then, func() error { return makeKeyPair(n, item, into) })
			}
		}
	}
	return j
}

// makeCA makes a root CA. Its authority is there already: maps are not for
// several to write at once.
func (p *initPlan) makeCA(n *nodePlan, item *planItem, into *made) error {
	sans, err := item.entry.SANs(n.node)
	if err != nil {
		return err
	}
	root, err := ca.NewRoot(ca.InitOptions{
		Dir: PKIDir(n.dir), Name: caName(item.entry.Name), CommonName: item.entry.CommonName(n.node), DNS: sans.DNS,
		Key: string(n.node.Key), Validity: ca.FormatValidity(n.node.CAValidity), Now: p.Now,
	})
	if err != nil {
		return err
	}
	a := p.authorities[item.entry.Name]
	a.ca, a.certs = root, []*x509.Certificate{root.Certificate}
	item.notAfter = root.Certificate
	into.add(ca.Member{CA: root})
	return nil
}

func (p *initPlan) makeLeaf(n *nodePlan, item *planItem, into *made) error {
	a := p.authorities[item.entry.CA]
	req, err := item.entry.Request(n.node)
	if err != nil {
		return err
	}
	if item.state == StateRepaired && item.found.Certificate != nil {
		req.SANs = withNames(req.SANs, ca.SANsOf(item.found.Certificate))
	}
	var warnings []string
	end := a.ca.Certificate.NotAfter
	if p.Settings.Validity == "" && p.Now.Add(req.Validity).After(end) {
		req.Validity = end.Sub(p.Now.UTC().Truncate(time.Second))
		warnings = append(warnings, fmt.Sprintf("%s ends with its CA on %s", item.entry.Name, end.Format(time.DateOnly)))
	}
	prepared, err := a.ca.Prepare(req, p.Now)
	if err != nil {
		return err
	}
	item.notAfter = prepared.Linted
	into.add(ca.Member{
		CA: a.ca, Prepared: prepared,
		Metadata: ca.Metadata{Name: item.entry.Name, Groups: req.Groups, Profile: item.entry.Profile, Out: item.out(n.dir)},
		Files:    func(c ca.Credential) ([]store.File, error) { return item.entry.files(n, a, c) },
	}, warnings...)
	return nil
}

// withNames adds names that somebody has asked for once. They matter for
// servers; repairing one must not take its clients away.
func withNames(wanted, has ca.SANs) ca.SANs {
	for _, name := range has.DNS {
		if !slices.Contains(wanted.DNS, name) {
			wanted.DNS = append(wanted.DNS, name)
		}
	}
	for _, ip := range has.IPs {
		addr, ok := netip.AddrFromSlice(ip)
		if ok && !slices.Contains(wanted.Strings(), addr.Unmap().String()) {
			wanted.IPs = append(wanted.IPs, ip)
		}
	}
	return wanted
}

// out is what the inventory has for a place: the path without suffix, or that
// of the kubeconfig.
func (item *planItem) out(dir string) string {
	if item.entry.Kind == KindKubeconfig {
		return item.entry.CertPath(dir)
	}
	return item.entry.below(dir, "")
}

// files are those of a certificate that was signed.
func (e Entry) files(n *nodePlan, a *authority, c ca.Credential) ([]store.File, error) {
	if e.Kind == KindLeaf {
		return []store.File{
			{Path: e.KeyPath(n.dir), Data: c.KeyPEM, Mode: 0o600},
			{Path: e.CertPath(n.dir), Data: c.CertPEM, Mode: 0o644},
		}, nil
	}
	entry := e.kubeconfig(n.node)
	entry.CAPEM, entry.CertPEM, entry.KeyPEM = ca.EncodeCertificates(a.certs...), c.CertPEM, c.KeyPEM
	data, err := entry.Marshal()
	return []store.File{{Path: e.CertPath(n.dir), Data: data, Mode: 0o600}}, err
}

// kubeconfig is the entry of a kubeconfig, without certificates and key.
func (e Entry) kubeconfig(n Node) kubeconfig.Entry {
	return kubeconfig.Entry{Server: e.Server(n), Cluster: n.Cluster, User: e.CommonName(n)}
}

// makeKeyPair makes the keys of service accounts, or the public one of a private
// one that is there.
func makeKeyPair(n *nodePlan, item *planItem, into *made) error {
	public := item.found.Key
	if item.state == StateMade {
		key, err := ca.GenerateKey(n.node.Key)
		if err != nil {
			return err
		}
		keyPEM, err := ca.MarshalKey(key)
		if err != nil {
			return err
		}
		public = key.Public()
		into.addFiles(store.File{Path: item.entry.KeyPath(n.dir), Data: keyPEM, Mode: 0o600})
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	into.addFiles(store.File{Path: item.entry.PublicPath(n.dir), Data: data, Mode: 0o600})
	return nil
}

// write brings one node's files to the disk as one step.
func (p *initPlan) write(n *nodePlan, m *made) error {
	if err := p.addShared(n, m); err != nil {
		return err
	}
	if n == p.nodes[0] {
		if err := p.addSettings(m); err != nil {
			return err
		}
	}
	if len(m.members)+len(m.files) == 0 {
		return nil
	}
	if !n.node.ExternalEtcd {
		if err := n.store.Make(filepath.Join(PKIDir(n.dir), "etcd")); err != nil {
			return err
		}
	}
	// Only a repair, and cluster.yaml, replace what is there; the rest was not there
	// when this directory was locked.
	return ca.WriteTogether(n.store, p.Now, true, m.members, m.files...)
}

// addSettings adds cluster.yaml, unless it is there and says the same.
func (p *initPlan) addSettings(m *made) error {
	data, err := p.Settings.filled(p.nodes).Marshal()
	if err != nil {
		return err
	}
	path := filepath.Join(p.Dir, SettingsFile)
	if there, err := store.Read(path, store.MaxYAML); err == nil && bytes.Equal(there, data) {
		return nil
	}
	m.files = append(m.files, store.File{Path: path, Data: data, Mode: 0o644})
	return nil
}

// filled are the settings with what depends on the machine, the moment or the
// version of pkictl written down: they will be read by others.
func (s Settings) filled(nodes []*nodePlan) Settings {
	s.Nodes = nil
	for _, n := range nodes {
		s.Nodes = append(s.Nodes, NodeSettings{Name: n.node.Name, Address: n.node.Address.String()})
	}
	s.KubernetesVersion = cmp.Or(s.KubernetesVersion, DefaultKubernetesVersion)
	return s
}

// addShared adds what all nodes have the same, from one that has it: by now the
// first has all.
func (p *initPlan) addShared(n *nodePlan, m *made) error {
	for _, item := range n.items {
		if !item.entry.IsShared() || (item.state != StateCopied && (n == p.nodes[0] || item.state != StateMade)) {
			continue
		}
		from := p.nodes[0].item(item.entry.Name)
		if item.from != nil {
			from = item.from
		}
		item.state, item.notAfter = StateCopied, from.notAfter
		for i, path := range from.entry.sharedPaths(from.found.Dir) {
			data, err := store.Read(path, store.MaxPEM)
			if errors.Is(err, fs.ErrNotExist) { // an external CA's key, or there is no chain
				continue
			}
			if err != nil {
				return err
			}
			m.files = append(m.files, store.File{Path: item.entry.sharedPaths(n.dir)[i], Data: data, Mode: modeOf(path)})
		}
	}
	return nil
}

// inParallel runs functions on all processors and returns the error of the
// first in the list that has one.
func inParallel(list []func() error) error {
	errs := make([]error, len(list))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(len(list), runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := range next {
				errs[i] = list[i]()
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
