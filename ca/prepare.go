package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"

	"github.com/cloudflare/cfssl/config"
	"github.com/cloudflare/cfssl/signer"

	"github.com/pkictl/pkictl/internal/failure"
)

// Backdate is how far before now a certificate begins, for clocks that are
// slow; as kubeadm and kube-controller-manager do.
const Backdate = 5 * time.Minute

// serialOctets is the most that RFC 5280 (4.1.2.2) allows.
const serialOctets = 20

// GroupMasters passes every authorizer of an API server.
const GroupMasters = "system:masters"

// groupNodes is that of the kubelets; the node authorizer looks for it.
const groupNodes = "system:nodes"

const ed25519Warning = "kubeadm and some Kubernetes parts cannot load Ed25519 keys; ecdsa-p256 works everywhere"

// Request is what a certificate is asked to hold. Its values are checked.
type Request struct {
	CommonName string
	Groups     []string // organizations of the subject, in this order
	Profile    Profile
	SANs       SANs
	Key        KeyKind
	Validity   time.Duration // from now on; 0: the profile's, or until the CA ends
	// PublicKey is that of somebody else's certificate request, or of a key that
	// is kept. Nil: a key of kind Key is made.
	PublicKey crypto.PublicKey

	rawSubject []byte        // of a certificate that is renewed; nil: made from CommonName and Groups
	keyUsage   x509.KeyUsage // of a certificate that is renewed; 0: the profile's
}

// usage returns the key usage for a certificate with that public key.
func (r Request) usage(pub crypto.PublicKey) x509.KeyUsage {
	if r.keyUsage == 0 {
		return r.Profile.keyUsage(pub)
	}
	// As in Profile.keyUsage. kubeadm says it of clients, too, which no linter passes.
	if _, isRSA := pub.(*rsa.PublicKey); !isRSA || !r.Profile.ServerAuth() {
		return r.keyUsage &^ x509.KeyUsageKeyEncipherment
	}
	return r.keyUsage
}

// Prepared is a certificate that may be signed: it was linted and compared
// with the request.
type Prepared struct {
	// Warnings are what the user should know before it is signed.
	Warnings []string
	// Linted is the certificate, signed with a key that was thrown away.
	Linted *x509.Certificate

	request  Request
	key      crypto.Signer // nil where the request brings a public key
	template *x509.Certificate
}

// Prepare makes a key, unless the request brings a public one, and the
// certificate that the request asks for, signs it
// with a throwaway key, lints it, and compares it with the request. The CA's
// key is not used. Errors are failure.Errors of kind Usage where the request
// cannot be met.
func (c *CA) Prepare(req Request, now time.Time) (*Prepared, error) {
	if err := c.checkTime(now); err != nil {
		return nil, err
	}
	p := &Prepared{request: req}
	notBefore, notAfter, err := c.period(req, now, p)
	if err != nil {
		return nil, err
	}
	if err := req.checkLimits(now.UTC().Truncate(time.Second), notAfter); err != nil {
		return nil, err
	}
	if err := c.checkForeignKey(req.PublicKey); err != nil {
		return nil, err
	}
	public := req.PublicKey
	if public == nil {
		if p.key, err = GenerateKey(req.Key); err != nil {
			return nil, err
		}
		public = p.key.Public()
	}
	p.template, err = newTemplate(req, req.Profile.raw, public, notBefore, notAfter)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(p.template.RawSubject, c.Certificate.RawSubject) {
		return nil, failure.New(failure.Usage, "choose another common name",
			"%q is the name of the CA itself; verifiers would take the certificate for self-signed", req.CommonName)
	}
	p.template.KeyUsage = req.usage(public)
	p.template.AuthorityKeyId = c.Certificate.SubjectKeyId
	if err := p.lint(c); err != nil {
		return nil, err
	}
	if err := c.checkNames(p); err != nil {
		return nil, err
	}
	p.warn()
	return p, nil
}

// period returns when the certificate begins and ends.
func (c *CA) period(req Request, now time.Time, p *Prepared) (notBefore, notAfter time.Time, err error) {
	now = now.UTC().Truncate(time.Second)
	notBefore, notAfter = req.Profile.period(now)
	if req.Validity != 0 {
		notAfter = now.Add(req.Validity)
	}
	if begin := c.Certificate.NotBefore; notBefore.Before(begin) {
		if begin.Sub(notBefore) > Backdate {
			p.Warnings = append(p.Warnings, fmt.Sprintf("it begins with its CA on %s, not on %s, as its profile says",
				begin.Format(time.RFC3339), notBefore.Format(time.RFC3339)))
		}
		notBefore = begin
	}
	if !notAfter.After(now) || !notAfter.After(notBefore) {
		return notBefore, notAfter, failure.New(failure.Usage, "choose another profile, or say when it ends with --validity",
			"%s ends its certificates on %s", req.Profile, notAfter.Format(time.RFC3339))
	}
	end := c.Certificate.NotAfter
	if !notAfter.After(end) {
		return notBefore, notAfter, nil
	}
	if req.Validity != 0 {
		return notBefore, notAfter, failure.New(failure.Usage,
			fmt.Sprintf("ask for at most %s, or make a new CA", FormatValidity(end.Sub(now))),
			"the certificate would end on %s, after its CA, which ends on %s",
			notAfter.Format(time.DateOnly), end.Format(time.DateOnly))
	}
	p.Warnings = append(p.Warnings, fmt.Sprintf("it ends with its CA on %s, not after %s",
		end.Format(time.DateOnly), FormatValidity(notAfter.Sub(now))))
	return notBefore, end, nil
}

// newTemplate turns a request into what crypto/x509 signs.
func newTemplate(req Request, profile config.SigningProfile, pub crypto.PublicKey, notBefore, notAfter time.Time) (*x509.Certificate, error) {
	rawSubject := req.rawSubject
	if rawSubject == nil {
		var err error
		if rawSubject, err = subject(req.Groups, req.CommonName); err != nil {
			return nil, err
		}
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		RawSubject:     rawSubject,
		SerialNumber:   serial,
		PublicKey:      pub,
		DNSNames:       req.SANs.DNS,
		IPAddresses:    req.SANs.IPs,
		URIs:           req.SANs.URIs,
		EmailAddresses: req.SANs.Emails,
	}
	// Usages, subject key identifier, addresses of CRL and OCSP, policies.
	return t, signer.FillTemplate(t, &profile, &profile, notBefore, notAfter)
}

func newSerial() (*big.Int, error) {
	octets := make([]byte, serialOctets)
	for {
		if _, err := rand.Read(octets); err != nil {
			return nil, err
		}
		octets[0] &= 0x7f // a set top bit would need one octet more
		if serial := new(big.Int).SetBytes(octets); serial.Sign() > 0 {
			return serial, nil
		}
	}
}

// standIn is a CA with a key that is thrown away with it. What it signs is for
// the linter alone, so that one will do for all certificates of a command.
type standIn struct {
	certificate x509.Certificate
	key         crypto.Signer
}

func newStandIn(issuer *x509.Certificate) (*standIn, error) {
	key, err := throwawayKey(issuer.PublicKey)
	if err != nil {
		return nil, err
	}
	s := &standIn{certificate: *issuer, key: key}
	s.certificate.PublicKey = key.Public() // CreateCertificate checks that they belong together
	return s, nil
}

// lint signs the template with a throwaway key, runs zlint on the result and
// compares it with the request.
func (p *Prepared) lint(issuer *CA) error {
	var err error
	p.Linted, err = issuer.signThrowaway(p.template)
	if err != nil { // a name that crypto/x509 does not write or read
		return failure.Wrap(err, failure.Usage, lintHint, "a certificate for %q cannot be made as asked", p.request.CommonName)
	}
	if err := lintCertificate(p.Linted.Raw); err != nil {
		return err
	}
	return p.compare(issuer.Certificate)
}

// compare checks that the linted certificate says what the request asked for:
// neither crypto/x509 nor cfssl may have dropped or changed anything.
func (p *Prepared) compare(issuer *x509.Certificate) error {
	got, req := p.Linted, p.request
	_, extended, _ := req.Profile.raw.Usages()
	if err := p.compareFrame(issuer); err != nil {
		return err
	}
	differs := p.differs
	switch {
	case got.Subject.CommonName != req.CommonName || !slices.Equal(got.Subject.Organization, req.Groups):
		return differs("subject")
	case !got.BasicConstraintsValid || got.IsCA:
		return differs("basic constraints")
	case got.KeyUsage != req.usage(p.template.PublicKey):
		return differs("key usage")
	case !slices.Equal(got.ExtKeyUsage, extended) || len(got.UnknownExtKeyUsage) > 0:
		return differs("extended key usage")
	case !sameNames(SANsOf(got), req.SANs):
		return differs("alternative names")
	case !req.Profile.sameAddresses(got):
		return differs("addresses of the CA")
	}
	return nil
}

// compareFrame is the part of compare that holds for the certificate of a CA,
// too.
func (p *Prepared) compareFrame(issuer *x509.Certificate) error {
	got := p.Linted
	switch {
	case !bytes.Equal(got.RawSubject, p.template.RawSubject):
		return p.differs("subject")
	case !bytes.Equal(got.RawIssuer, issuer.RawSubject):
		return p.differs("issuer")
	case !bytes.Equal(got.AuthorityKeyId, issuer.SubjectKeyId) || len(got.SubjectKeyId) == 0:
		return p.differs("key identifier")
	case !EqualKeys(got.PublicKey, p.template.PublicKey):
		return p.differs("public key")
	case got.SerialNumber.Cmp(p.template.SerialNumber) != 0 || got.SerialNumber.Sign() <= 0:
		return p.differs("serial number")
	case !got.NotBefore.Equal(p.template.NotBefore) || !got.NotAfter.Equal(p.template.NotAfter),
		got.NotAfter.After(issuer.NotAfter) || got.NotBefore.Before(issuer.NotBefore):
		return p.differs("validity")
	}
	return nil
}

func (p *Prepared) differs(what string) error {
	return fmt.Errorf("certificate for %q was not prepared as asked: %s differs", p.request.CommonName, what)
}

// SANsOf returns the subject alternative names of a certificate.
func SANsOf(cert *x509.Certificate) SANs {
	return SANs{DNS: cert.DNSNames, IPs: cert.IPAddresses, URIs: cert.URIs, Emails: cert.EmailAddresses}
}

func sameNames(a, b SANs) bool {
	return slices.Equal(a.DNS, b.DNS) && slices.Equal(a.Emails, b.Emails) &&
		slices.EqualFunc(a.IPs, b.IPs, net.IP.Equal) && slices.Equal(a.Strings(), b.Strings())
}

// warn collects what is allowed but has a price.
func (p *Prepared) warn() {
	p.Warnings = append(p.Warnings, p.request.Profile.warningsFor(p.template.PublicKey)...)
	if slices.Contains(p.request.Groups, GroupMasters) {
		p.Warnings = append(p.Warnings,
			GroupMasters+" passes every authorizer of the API server, and nothing but a new CA takes it back; "+
				"for daily work use a group bound to a role, as in --group cluster-admins with a ClusterRoleBinding")
	}
	if KeyName(p.template.PublicKey) == string(Ed25519) {
		p.Warnings = append(p.Warnings, ed25519Warning)
	}
}

// certificate is the outer structure of RFC 5280, section 4.1.
type certificate struct {
	TBS       asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

// sign uses the CA's key, once. What it signs are the bytes that were linted.
func (p *Prepared) sign(issuer *x509.Certificate, key crypto.Signer) (*x509.Certificate, error) {
	var c certificate
	if _, err := asn1.Unmarshal(p.Linted.Raw, &c); err != nil {
		return nil, err
	}
	signature, err := crypto.SignMessage(key, rand.Reader, c.TBS.FullBytes, hashOf(p.Linted.SignatureAlgorithm))
	if err != nil {
		return nil, err
	}
	c.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	der, err := asn1.Marshal(c)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if !isOurArithmetic(key) {
		return cert, cert.CheckSignatureFrom(issuer)
	}
	return cert, nil // LoadKey has checked whose key it is
}

// isOurArithmetic says whether signatures are computed by the same library that
// would check them. One by a token is checked before anybody relies on it; Go
// checks those of RSA by itself.
func isOurArithmetic(key crypto.Signer) bool {
	switch key.(type) {
	case *ecdsa.PrivateKey, *rsa.PrivateKey, ed25519.PrivateKey:
		return true
	}
	return false
}

// hashOf returns the hash of the signature algorithms that crypto/x509 chooses
// for a CA's key.
func hashOf(algorithm x509.SignatureAlgorithm) crypto.Hash {
	switch algorithm {
	case x509.PureEd25519:
		return 0
	case x509.ECDSAWithSHA384:
		return crypto.SHA384
	case x509.ECDSAWithSHA512:
		return crypto.SHA512
	}
	return crypto.SHA256
}
