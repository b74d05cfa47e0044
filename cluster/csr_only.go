package cluster

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"path/filepath"
	"slices"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
)

// Requests says for what Init makes certificate requests instead of certificates.
type Requests string

// What requests are made for.
const (
	RequestLeaves Requests = "leaves" // all but the CAs, which are elsewhere
	RequestCAs    Requests = "cas"    // the three CAs, which one elsewhere signs
)

// RequestsNames lists them.
func RequestsNames() []string { return []string{string(RequestLeaves), string(RequestCAs)} }

// runRequests is run for Init with Requests. A key that is there is kept, and so
// is a request that asks for the same; what has its certificate is left alone.
func (p *initPlan) runRequests() (*InitResult, error) {
	for i, n := range p.nodes {
		for _, item := range n.items {
			if err := p.decideRequest(i, n, item); err != nil {
				return nil, err
			}
		}
	}
	result := &InitResult{Warnings: p.placeWarnings()}
	if result.Differences = p.wrong(); result.Differences == nil {
		if err := p.noteSettings(result); err != nil {
			return nil, err
		}
		if !p.DryRun {
			if err := p.makeRequests(result); err != nil {
				return nil, err
			}
		}
	}
	result.Nodes = p.results()
	return result, nil
}

// decideRequest says what is to be done about one entry, after decide.
func (p *initPlan) decideRequest(i int, n *nodePlan, item *planItem) error {
	isCA := item.entry.Kind == KindCA
	switch {
	case item.entry.Kind == KindKeyPair, item.from != nil && item.from.found.Certificate != nil: // it is copied
		return nil
	case !item.found.Absent() && !item.found.isPending(): // kept, or wrong
		return nil
	case isCA && p.Requests == RequestLeaves && item.found.Absent() && (item.from == nil || item.from.found.Absent()):
		item.state = StateElsewhere
		return nil
	case isCA && i > 0, !isCA && (p.Requests == RequestCAs || p.isSignedHere(item.entry.CA)):
		item.state, item.differences = StateLater, nil
		return nil
	}
	item.differences = item.found.pendingDifferences(n.node)
	item.state = StateRequested
	if item.found.Absent() {
		return nil
	}
	isSame, err := item.requestIsThere(n)
	if isSame {
		item.state = StateAwaited
	}
	return err
}

// isSignedHere says whether a CA's key is here, or will be a CA's.
func (p *initPlan) isSignedHere(authority string) bool {
	a := p.authorities[authority]
	return p.nodes[0].item(authority).found.Key != nil || (a != nil && !a.keyIsElsewhere())
}

// pendingDifferences are those of an entry that has no certificate yet.
func (f *Found) pendingDifferences(n Node) []Difference {
	d := &differences{found: f}
	if f.Entry.Kind == KindKubeconfig {
		d.compareServer(n)
		d.compareCluster(n)
	}
	d.compareKeyKind(f.Entry.KeyPath(f.Dir), f.Key)
	return d.list
}

// request returns the certificate request of an entry, signed with its key.
func (e Entry) request(n Node, key crypto.Signer) ([]byte, error) {
	if e.Kind == KindCA {
		sans, err := e.SANs(n)
		if err != nil {
			return nil, err
		}
		return ca.Request{CommonName: e.CommonName(n), SANs: sans}.SignForCA(key, 0)
	}
	req, err := e.Request(n)
	if err != nil {
		return nil, err
	}
	return req.SignWithUsages(key)
}

// requestIsThere says whether the request beside a key asks for what one that is
// made now would. One of kubeadm's does not say what the certificate is for, and
// is made anew.
func (item *planItem) requestIsThere(n *nodePlan) (bool, error) {
	there, err := ca.ReadRequest(item.entry.RequestPath(n.dir))
	if err != nil { // it is not there, or of no use
		return false, nil //nolint:nilerr // it is made anew
	}
	key, err := item.readKey()
	if err != nil {
		return false, err
	}
	data, err := item.entry.request(n.node, key)
	if err != nil {
		return false, err
	}
	wanted, err := ca.ParseRequest(data, item.entry.Name)
	if err != nil {
		return false, err
	}
	return sameRequest(there.X509(), wanted.X509()), nil
}

func sameRequest(a, b *x509.CertificateRequest) bool {
	has := func(list []pkix.Extension) func(pkix.Extension) bool {
		return func(e pkix.Extension) bool {
			return slices.ContainsFunc(list, func(other pkix.Extension) bool {
				return e.Id.Equal(other.Id) && e.Critical == other.Critical && bytes.Equal(e.Value, other.Value)
			})
		}
	}
	return a.CheckSignature() == nil && ca.EqualKeys(a.PublicKey, b.PublicKey) && bytes.Equal(a.RawSubject, b.RawSubject) &&
		len(a.Extensions) == len(b.Extensions) && !slices.ContainsFunc(a.Extensions, func(e pkix.Extension) bool { return !has(b.Extensions)(e) })
}

// readKey reads the key of an entry. Its Found has looked at it: it is neither
// encrypted nor in a token.
func (item *planItem) readKey() (crypto.Signer, error) {
	data, err := item.found.keyPEM()
	if err != nil {
		return nil, err
	}
	return ca.ParseKey(data, item.entry.KeyPath(item.found.Dir), nil)
}

// keyPEM returns the key of an entry as its file has it, or its kubeconfig.
func (f *Found) keyPEM() ([]byte, error) {
	path := f.Entry.KeyPath(f.Dir)
	if f.Entry.Kind == KindKubeconfig {
		if len(f.User.ClientKeyData) > 0 {
			return f.User.ClientKeyData, nil
		}
		dir := filepath.Dir(path)
		if path = f.User.ClientKey; !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
	}
	return store.Read(path, store.MaxPEM)
}

// makeRequests makes keys and requests and writes them, a node at a time.
func (p *initPlan) makeRequests(result *InitResult) error {
	var jobs []func() error
	for _, n := range p.nodes {
		for _, item := range n.items {
			switch {
			case item.state == StateRequested:
				jobs = append(jobs, func() error { return p.makeRequest(n, item) })
			case item.entry.Kind == KindKeyPair && item.state == StateMade:
				jobs = append(jobs, func() error { return item.makeKeyPair(n.node.Key) })
			}
		}
	}
	if err := inParallel(jobs); err != nil {
		return err
	}
	return p.writeAll(result)
}

// makeRequest makes the request of one entry, and its key unless it is there. A
// kubeconfig has its key in it from now on, as kubeadm has it.
func (p *initPlan) makeRequest(n *nodePlan, item *planItem) error {
	key, err := p.keyFor(n, item)
	if err != nil {
		return err
	}
	data, err := item.entry.request(n.node, key)
	if err != nil {
		return err
	}
	item.files = append(item.files, store.File{Path: item.entry.RequestPath(n.dir), Data: data, Mode: 0o600})
	return nil
}

// keyFor reads the key of an entry, or makes it and adds its file.
func (p *initPlan) keyFor(n *nodePlan, item *planItem) (crypto.Signer, error) {
	if item.found.isPending() {
		return item.readKey()
	}
	key, err := ca.GenerateKey(n.node.Key)
	if err != nil {
		return nil, err
	}
	data, err := ca.MarshalKey(key)
	if err != nil {
		return nil, err
	}
	if item.entry.Kind == KindKubeconfig {
		entry := item.entry.kubeconfig(n.node)
		entry.KeyPEM = data
		if a := p.authorities[item.entry.CA]; a != nil {
			entry.CAPEM = ca.EncodeCertificates(a.certs...)
		}
		if data, err = entry.Marshal(); err != nil {
			return nil, err
		}
	}
	item.files = append(item.files, store.File{Path: item.entry.KeyPath(n.dir), Data: data, Mode: 0o600})
	return key, nil
}
