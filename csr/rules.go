package csr

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// The signers that kube-controller-manager serves.
const (
	SignerClient        = certificatesv1.KubeAPIServerClientSignerName
	SignerKubeletClient = certificatesv1.KubeAPIServerClientKubeletSignerName
	SignerKubelet       = certificatesv1.KubeletServingSignerName

	// signerLegacy has left the API with v1beta1.
	signerLegacy = "kubernetes.io/legacy-unknown"
	// kubernetesDomain is that of the signers whose rules Kubernetes sets.
	kubernetesDomain = "kubernetes.io/"
)

// MinExpiration is the shortest lifetime that may be asked for (Kubernetes,
// pkg/apis/certificates/validation/validation.go).
const MinExpiration = 10 * time.Minute

const (
	groupMasters = ca.GroupMasters
	groupNodes   = "system:nodes"
	prefixNode   = "system:node:"
)

// sanRule says which alternative names a signer takes.
type sanRule int

const (
	anySANs sanRule = iota
	noSANs
	serverSANs // DNS names and IP addresses, one at least
)

// signerRules are what a signer takes. What it does not take ends as Failed, or
// is refused at admission.
type signerRules struct {
	name     string
	node     bool // the subject is that of a node
	sans     sanRule
	required []string // usages
	optional []string // further ones; there are no others
}

// signers are those of Kubernetes (pkg/apis/certificates/helpers.go and
// pkg/controller/certificates/signer/signer.go), the default first. The rules of
// other signers are their own.
var signers = []signerRules{
	{name: SignerClient, required: []string{clientAuth}, optional: []string{digitalSignature, keyEncipherment}},
	{name: SignerKubeletClient, node: true, sans: noSANs, required: []string{digitalSignature, clientAuth}, optional: []string{keyEncipherment}},
	{name: SignerKubelet, node: true, sans: serverSANs, required: []string{digitalSignature, serverAuth}, optional: []string{keyEncipherment}},
}

const (
	digitalSignature = string(certificatesv1.UsageDigitalSignature)
	keyEncipherment  = string(certificatesv1.UsageKeyEncipherment)
	clientAuth       = string(certificatesv1.UsageClientAuth)
	serverAuth       = string(certificatesv1.UsageServerAuth)
)

// usages are those that the API knows (validation.go, allValidUsages).
var usages = []string{
	clientAuth, serverAuth, digitalSignature, keyEncipherment,
	string(certificatesv1.UsageSigning), string(certificatesv1.UsageContentCommitment), string(certificatesv1.UsageKeyAgreement),
	string(certificatesv1.UsageDataEncipherment), string(certificatesv1.UsageCertSign), string(certificatesv1.UsageCRLSign),
	string(certificatesv1.UsageEncipherOnly), string(certificatesv1.UsageDecipherOnly), string(certificatesv1.UsageAny),
	string(certificatesv1.UsageCodeSigning), string(certificatesv1.UsageEmailProtection), string(certificatesv1.UsageSMIME),
	string(certificatesv1.UsageIPsecEndSystem), string(certificatesv1.UsageIPsecTunnel), string(certificatesv1.UsageIPsecUser),
	string(certificatesv1.UsageTimestamping), string(certificatesv1.UsageOCSPSigning),
	string(certificatesv1.UsageMicrosoftSGC), string(certificatesv1.UsageNetscapeSGC),
}

// SignerNames lists the signers of Kubernetes, the default first.
func SignerNames() []string {
	names := make([]string, len(signers))
	for i, s := range signers {
		names[i] = s.name
	}
	return names
}

// UsageNames lists the usages that the API knows, the most common first.
func UsageNames() []string { return slices.Clone(usages) }

// rulesOf returns the rules of a signer of Kubernetes, nil for any other.
func rulesOf(signer string) *signerRules {
	for i := range signers {
		if signers[i].name == signer {
			return &signers[i]
		}
	}
	return nil
}

// Check says what of a request the API server would refuse, or its signer fail,
// before anything is sent. Errors are of kind Usage where the options make no
// sense, and Refused where a rule forbids what is asked for.
func Check(o SubmitOptions) error {
	_, err := o.prepare()
	return err
}

// prepared is a request that may be sent.
type prepared struct {
	request    *x509.CertificateRequest
	commonName string // as a name for it; may be empty for signers of others
	signer     string
	usages     []string
	expiration int32 // seconds; 0: the signer's
	warnings   []string
}

func (o SubmitOptions) prepare() (*prepared, error) {
	p := &prepared{signer: o.Signer}
	if p.signer == "" {
		p.signer = SignerClient
	}
	if err := checkSigner(p.signer); err != nil {
		return nil, err
	}
	for _, name := range o.Allow {
		if err := ca.CheckAllowance(name); err != nil {
			return nil, err
		}
	}
	if err := checkObjectName(o.Name); err != nil {
		return nil, err
	}
	var err error
	if p.expiration, err = expirationSeconds(o.Expiration); err != nil {
		return nil, err
	}
	if o.made {
		return p, o.prepareMade(p)
	}
	request, err := ca.ParseRequest(o.RequestPEM, o.source())
	if err != nil {
		return nil, err
	}
	p.request = request.X509()
	rules := rulesOf(p.signer)
	if p.warnings, err = request.Check(rules == nil, o.Allow...); err != nil {
		return nil, err
	}
	p.commonName = p.request.Subject.CommonName
	if rules != nil {
		if err := rules.checkRequest(request, o.Allow); err != nil {
			return nil, err
		}
	}
	if p.usages, err = o.chooseUsages(rules, request); err != nil {
		return nil, err
	}
	return p, nil
}

// prepareMade is prepare for a request of the default signer that pkictl itself
// has made just now.
func (o SubmitOptions) prepareMade(p *prepared) error {
	block, _ := pem.Decode(o.RequestPEM)
	var err error
	if p.request, err = x509.ParseCertificateRequest(block.Bytes); err == nil {
		p.commonName = p.request.Subject.CommonName
		p.usages = usagesFor(rulesOf(p.signer), p.request.PublicKey)
	}
	return err
}

func (o SubmitOptions) source() string {
	if o.Source == "" {
		return "request"
	}
	return o.Source
}

// checkSigner checks the form of a signer name (Kubernetes,
// pkg/apis/core/validation/names.go, ValidateSignerName).
func checkSigner(name string) error {
	bad := func(hint string) error {
		return failure.New(failure.Usage, hint, "%q is not the name of a signer", name)
	}
	domain, path, found := strings.Cut(name, "/")
	switch {
	case name == signerLegacy:
		return failure.New(failure.Usage, "choose one of "+strings.Join(SignerNames(), ", ")+", or one of your own",
			"the signer %s has left the API with v1beta1", signerLegacy)
	case strings.HasPrefix(name, kubernetesDomain) && rulesOf(name) == nil:
		return failure.New(failure.Usage, "choose one of "+strings.Join(SignerNames(), ", "), "Kubernetes has no signer %q", name)
	case !found || strings.Contains(path, "/"):
		return bad("write it as domain/path, as in " + SignerClient + " or example.com/web")
	case !strings.Contains(domain, ".") || !isSubdomain(domain):
		return bad("its domain has small letters, digits, '-' and a dot at least, as in example.com/web")
	case len(name) > 2*validation.DNS1123SubdomainMaxLength+validation.DNS1123LabelMaxLength+2:
		return bad("choose a shorter one")
	}
	for label := range strings.SplitSeq(path, ".") {
		if len(validation.IsDNS1123Subdomain(label)) > 0 {
			return bad("behind the slash it has small letters, digits, '-' and '.', as in example.com/web")
		}
	}
	return nil
}

func isSubdomain(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if len(validation.IsDNS1123Label(label)) > 0 {
			return false
		}
	}
	return len(name) <= validation.DNS1123SubdomainMaxLength
}

func expirationSeconds(d time.Duration) (int32, error) {
	switch {
	case d == 0:
		return 0, nil
	case d < MinExpiration:
		return 0, failure.New(failure.Usage, "ask for at least 10m (600 seconds)", "a lifetime of %s is shorter than the API allows", d)
	case d/time.Second > math.MaxInt32:
		return 0, failure.New(failure.Usage, "ask for less than 68 years; signers have shorter limits of their own", "a lifetime of %s is longer than the API can say", ca.FormatValidity(d))
	}
	return int32(d / time.Second), nil
}

func refuse(hint, format string, args ...any) error {
	return failure.New(failure.Refused, hint, "%s", fmt.Sprintf(format, args...))
}

// checkRequest checks subject and alternative names.
func (r *signerRules) checkRequest(request *ca.CertificateRequest, allow []string) error {
	name, groups, err := request.Subject()
	if err != nil {
		return err
	}
	if r.node {
		err = r.checkNode(name, groups)
	} else {
		err = r.checkUser(name, groups, allow)
	}
	if err != nil {
		return err
	}
	return r.checkNames(request.X509())
}

// checkUser refuses what admission refuses (plugin CertificateSubjectRestriction)
// and, unless allowed by name, the names that Kubernetes keeps for itself. The
// signer takes them, but who holds such a certificate is a part of the cluster
// to everybody who reads its name: that should be meant.
func (r *signerRules) checkUser(name string, groups, allow []string) error {
	if slices.Contains(groups, groupMasters) {
		return refuse("bind a group of your own to the ClusterRole cluster-admin with a ClusterRoleBinding; or, where you hold the CA: pkictl issue --cn NAME --group "+groupMasters,
			"the API server refuses the group %s for %s: it passes every authorizer", groupMasters, r.name)
	}
	if ca.IsReserved(name) && !slices.Contains(allow, ca.AllowName+name) {
		return refuse("choose another name, or allow it with --allow "+shell.Quote(ca.AllowName+name),
			"the user name %q is one that Kubernetes keeps for its own parts", name)
	}
	for _, group := range groups {
		if ca.IsReserved(group) && !slices.Contains(allow, ca.AllowGroup+group) {
			return refuse("choose another group, or allow it with --allow "+shell.Quote(ca.AllowGroup+group),
				"the group %q is one that Kubernetes keeps for its own parts", group)
		}
	}
	return nil
}

// checkNode is helpers.go, ValidateKubeletClientCSR and ValidateKubeletServingCSR.
func (r *signerRules) checkNode(name string, groups []string) error {
	switch {
	case !slices.Equal(groups, []string{groupNodes}):
		return refuse("ask for the organization "+groupNodes+" alone", "%s signs for the group %s only", r.name, groupNodes)
	case !strings.HasPrefix(name, prefixNode) || name == prefixNode:
		return refuse("name the node, as in "+prefixNode+"worker-1", "%s signs for nodes only, and %q is not the name of one", r.name, name)
	}
	return nil
}

func (r *signerRules) checkNames(request *x509.CertificateRequest) error {
	servers := len(request.DNSNames) + len(request.IPAddresses)
	others := len(request.EmailAddresses) + len(request.URIs)
	switch {
	case r.sans == noSANs && servers+others > 0:
		return refuse("make the request without alternative names", "%s signs no alternative names", r.name)
	case r.sans == serverSANs && others > 0:
		return refuse("make the request without e-mail addresses and URIs", "%s signs DNS names and IP addresses only", r.name)
	case r.sans == serverSANs && servers == 0:
		return refuse("make the request with --dns or --ip", "%s signs for servers, and the request names none", r.name)
	}
	return nil
}

// chooseUsages returns the usages that are asked for, checked.
func (o SubmitOptions) chooseUsages(rules *signerRules, request *ca.CertificateRequest) ([]string, error) {
	chosen := o.Usages
	if len(chosen) == 0 {
		if chosen = defaultUsages(rules, request); len(chosen) == 0 {
			return nil, failure.New(failure.Usage, `say it with --usage, as in --usage "digital signature" --usage "server auth"`,
				"nothing says what a certificate of signer %s is for", o.Signer)
		}
	}
	for i, usage := range chosen {
		switch {
		case !slices.Contains(usages, usage):
			return nil, failure.New(failure.Usage, "known are "+strings.Join(usages, ", "), "unknown usage %q", usage)
		case slices.Contains(chosen[:i], usage):
			return nil, failure.New(failure.Usage, "name each once", "the usage %q is given twice", usage)
		}
	}
	if rules == nil {
		return chosen, nil
	}
	return chosen, rules.checkUsages(chosen)
}

// checkUsages refuses what would end as Failed, and never as a certificate.
func (r *signerRules) checkUsages(chosen []string) error {
	for _, usage := range chosen {
		if !slices.Contains(r.required, usage) && !slices.Contains(r.optional, usage) {
			return refuse("leave it out, or choose another signer with --signer", "%s gives no certificate for the usage %q", r.name, usage)
		}
	}
	for _, usage := range r.required {
		if !slices.Contains(chosen, usage) {
			return refuse(fmt.Sprintf("add --usage %q, or leave --usage out", usage), "%s gives no certificate without the usage %q", r.name, usage)
		}
	}
	return nil
}

// defaultUsages are those of a signer of Kubernetes; key encipherment is for RSA
// keys alone (RFC 5480, section 3). For another signer it is what the request
// itself asks for.
func defaultUsages(rules *signerRules, request *ca.CertificateRequest) []string {
	if rules == nil {
		info := request.Info()
		return slices.Concat(info.KeyUsages, info.ExtendedKeyUsages)
	}
	return usagesFor(rules, request.X509().PublicKey)
}

// usagesFor are the default usages of a signer of Kubernetes.
func usagesFor(rules *signerRules, key any) []string {
	chosen := []string{digitalSignature}
	if _, isRSA := key.(*rsa.PublicKey); isRSA {
		chosen = append(chosen, keyEncipherment)
	}
	for _, usage := range rules.required {
		if usage != digitalSignature {
			chosen = append(chosen, usage)
		}
	}
	return chosen
}
