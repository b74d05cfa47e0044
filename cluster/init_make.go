package cluster

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// make makes what is missing, or is to be repaired, and writes it.
func (p *initPlan) make(result *InitResult) error {
	first, then := p.jobs()
	if err := inParallel(first); err != nil {
		return err
	}
	if err := inParallel(then); err != nil {
		return err
	}
	return p.writeAll(result)
}

// writeAll writes what was made, one node after the other: the first has the
// new CAs.
func (p *initPlan) writeAll(result *InitResult) error {
	for _, n := range p.nodes {
		if err := p.write(n); err != nil {
			return err
		}
		for _, item := range n.items {
			result.Warnings = append(result.Warnings, item.warnings...)
		}
	}
	return nil
}

// jobs are functions that may run at the same time, as keys take their time to
// make: first the CAs, then what they sign.
func (p *initPlan) jobs() (first, then []func() error) {
	for _, n := range p.nodes {
		for _, item := range n.items {
			switch {
			case item.isSigned():
				then = append(then, func() error { return p.makeLeaf(n, item) })
			case item.state != StateMade && item.state != StateRepaired:
			case item.entry.Kind == KindKeyPair:
				first = append(first, func() error { return item.makeKeyPair(n.node.Key) })
			default: // its authority is there before the jobs run: maps are not for several to write at once
				a := &authority{item: item}
				p.authorities[item.entry.Name] = a
				first = append(first, func() error { return p.makeCA(n, a) })
			}
		}
	}
	return first, then
}

// makeCA makes a root CA.
func (p *initPlan) makeCA(n *nodePlan, a *authority) error {
	entry := a.item.entry
	sans, err := entry.SANs(n.node)
	if err != nil {
		return err
	}
	a.ca, err = ca.NewRoot(ca.InitOptions{
		Dir: PKIDir(n.dir), Name: caName(entry.Name), CommonName: entry.CommonName(n.node), DNS: sans.DNS,
		Key: string(n.node.Key), Validity: fmt.Sprintf("%ds", n.node.CAValidity/time.Second), Now: p.Now,
	})
	if err != nil {
		return err
	}
	a.certs, a.item.cert = []*x509.Certificate{a.ca.Certificate}, a.ca.Certificate
	a.item.members = []ca.Member{{CA: a.ca}}
	return nil
}

// makeLeaf makes a key and what its CA is to sign.
func (p *initPlan) makeLeaf(n *nodePlan, item *planItem) error {
	a := p.authorities[item.entry.CA]
	req, err := item.entry.Request(n.node)
	if err != nil {
		return err
	}
	if item.state == StateRepaired {
		p.keep(item, &req)
	}
	if end := a.ca.Certificate.NotAfter; p.Now.Add(req.Validity).After(end) {
		req.Validity = end.Sub(p.Now.UTC().Truncate(time.Second))
		item.warnings = append(item.warnings, fmt.Sprintf("%s ends with its CA on %s", item.entry.CertPath(n.dir), end.Format(time.DateOnly)))
	}
	prepared, err := a.ca.Prepare(req, p.Now)
	if err != nil {
		return err
	}
	item.cert = prepared.Linted
	item.members = []ca.Member{{
		CA: a.ca, Prepared: prepared,
		Metadata: item.metadata(n.dir, req.Groups),
		Files:    func(c ca.Credential) ([]store.File, error) { return item.entry.files(n, a, c) },
	}}
	return nil
}

// keep has a certificate that is made anew hold what was not wrong with the old
// one and is not said otherwise: the kind of its key, and more names, unless
// another CA has vouched for them.
func (p *initPlan) keep(item *planItem, req *ca.Request) {
	old := item.found.Certificate
	if old == nil {
		return
	}
	kind, err := ca.ParseKeyKind(ca.KeyName(old.PublicKey))
	if err == nil && kind != ca.Ed25519 && p.Settings.Key == "" {
		req.Key = kind
	}
	isOther := func(d Difference) bool { return d.Field == FieldCA }
	if item.entry.dns != nil && !slices.ContainsFunc(item.differences, isOther) {
		req.SANs = withNames(req.SANs, ca.SANsOf(old))
	}
}

// withNames adds names that somebody has asked for once. They matter for
// servers; repairing one must not take its clients away.
func withNames(wanted, has ca.SANs) ca.SANs {
	for _, name := range has.DNS {
		if _, err := ca.ParseSANs([]string{name}, nil, nil, nil); err == nil && !slices.Contains(wanted.DNS, name) {
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

// metadata is what the inventory has for a certificate: where it stands is the
// path without suffix, or that of the kubeconfig, which renewals then find.
func (item *planItem) metadata(dir string, groups []string) ca.Metadata {
	m := ca.Metadata{Name: item.entry.Name, Groups: groups, Profile: item.entry.Profile, Out: item.entry.below(dir, "")}
	if item.entry.Kind == KindKubeconfig {
		m.Out, m.Also = item.entry.CertPath(dir), []string{item.entry.CertPath(dir)}
	}
	return m
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
func (item *planItem) makeKeyPair(kind ca.KeyKind) error {
	public := item.found.Key
	if item.state == StateMade {
		key, err := ca.GenerateKey(kind)
		if err != nil {
			return err
		}
		keyPEM, err := ca.MarshalKey(key)
		if err != nil {
			return err
		}
		public = key.Public()
		item.files = append(item.files, store.File{Path: item.entry.KeyPath(item.found.Dir), Data: keyPEM, Mode: 0o600})
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	item.files = append(item.files, store.File{Path: item.entry.publicPath(item.found.Dir), Data: data, Mode: 0o600})
	return nil
}

// write brings one node's files to the disk as one step.
func (p *initPlan) write(n *nodePlan) error {
	var members []ca.Member
	var files []store.File
	for _, item := range n.items {
		if item.state == StateCopied {
			if err := item.copy(); err != nil {
				return err
			}
		}
		members, files = append(members, item.members...), append(files, item.files...)
	}
	if n == p.nodes[0] {
		settings, err := p.settingsFile()
		if err != nil {
			return err
		}
		files = append(files, settings...)
	}
	if len(members)+len(files) == 0 {
		return nil
	}
	if err := n.makeEtcdDir(); err != nil {
		return err
	}
	// Only a repair, and cluster.yaml, replace what is there; the rest was not there
	// when this directory was locked.
	return ca.WriteTogether(n.store, p.Now, true, members, files...)
}

// makeEtcdDir makes the directory of etcd's certificates, for nodes that have them.
func (n *nodePlan) makeEtcdDir() error {
	if !n.node.hasEtcd() {
		return nil
	}
	return n.store.Make(filepath.Join(PKIDir(n.dir), "etcd"))
}

// copy takes over what all nodes have the same, from one that has it.
func (item *planItem) copy() error {
	for i, path := range item.from.entry.sharedPaths(item.from.found.Dir) {
		data, err := item.from.read(path)
		if errors.Is(err, fs.ErrNotExist) { // an external CA's key, or there is no chain
			continue
		}
		if err != nil {
			return err
		}
		item.files = append(item.files, store.File{Path: item.entry.sharedPaths(item.found.Dir)[i], Data: data, Mode: modeOf(path)})
	}
	return nil
}

// read returns the contents that one of its files has, or will have.
func (item *planItem) read(path string) ([]byte, error) {
	for _, file := range item.files {
		if file.Path == path {
			return file.Data, nil
		}
	}
	return store.Read(path, store.MaxPEM)
}

// settingsFile returns cluster.yaml, unless it is there and says the same: what
// people have written into it, such as comments, is theirs.
func (p *initPlan) settingsFile() ([]store.File, error) {
	if p.FromFiles {
		return nil, nil
	}
	there, isThere, err := ReadSettings(p.Dir)
	settings := p.Settings.filled(p.nodes, there.KubernetesVersion)
	if err != nil || isThere && reflect.DeepEqual(there, settings) {
		return nil, err
	}
	data, err := settings.Marshal()
	return []store.File{{Path: filepath.Join(p.Dir, SettingsFile), Data: data, Mode: 0o644}}, err
}

// filled are the settings with what depends on the machine, the moment or the
// version of pkictl written down: they will be read by others. A version of
// Kubernetes that nobody has said is that of what was made; for what was there it stays as it was.
func (s Settings) filled(nodes []*nodePlan, before string) Settings {
	s.Nodes = nil
	isNew := true
	for _, n := range nodes {
		s.Nodes = append(s.Nodes, NodeSettings{Name: n.node.Name, Address: n.node.Address.String()})
		isNew = isNew && n.item(NameAdmin).found.Certificate == nil && n.item(nameKubeletClient).found.Certificate == nil
	}
	if isNew {
		before = DefaultKubernetesVersion
	}
	s.KubernetesVersion = cmp.Or(s.KubernetesVersion, before)
	return s
}

// inParallel runs functions on all processors and returns the error of the
// first in the list that has one.
func inParallel(list []func() error) error {
	return ca.InParallel(len(list), func(i int) error { return list[i]() })
}
