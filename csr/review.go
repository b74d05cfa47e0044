package csr

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// Review is a certificate signing request, decoded, and what it would allow.
type Review struct {
	Name            string    `json:"name"`
	UID             string    `json:"uid"`
	ResourceVersion string    `json:"resourceVersion"`
	State           State     `json:"state"`
	Why             string    `json:"why,omitempty"` // of a decision or failure, as those said who made it
	Created         time.Time `json:"created"`
	// Collected is when kube-controller-manager takes the object away, an hour
	// later at most; nil where there is no telling.
	Collected *time.Time `json:"collected,omitempty"`

	AskedBy       Requester `json:"askedBy"`
	ForOther      bool      `json:"forOther"` // than who asked
	Subject       string    `json:"subject"`
	CommonName    string    `json:"commonName"`
	CommonNames   int       `json:"commonNames"` // the API server reads the last
	Groups        []string  `json:"groups,omitempty"`
	SANs          []string  `json:"sans,omitempty"`
	Usages        []string  `json:"usages"`
	Key           string    `json:"key"`
	KeySHA256     string    `json:"keySHA256"` // of the SubjectPublicKeyInfo
	Signature     string    `json:"signature"`
	SignatureGood bool      `json:"signatureValid"`

	Signer   string `json:"signer"`
	SignedBy string `json:"signedBy"`
	// LogsIn says what a certificate of this signer is good for.
	LogsIn   Login    `json:"logsIn"`
	Lifetime Lifetime `json:"lifetime"`

	// Problems are rules that the request breaks.
	Problems []Problem `json:"problems,omitempty"`
	// User is what the certificate would allow. It is nil for one that logs
	// nobody in, and where nobody asked.
	User *UserAccess `json:"user,omitempty"`
	// Concerns are the reasons for which nobody should approve without having
	// understood them, the worst first.
	Concerns []string `json:"concerns"`

	request *x509.CertificateRequest // nil where it cannot be read
}

// Requester is who asked, as an API server knows them.
type Requester struct {
	Username string   `json:"username"`
	Groups   []string `json:"groups,omitempty"`

	uid   string
	extra map[string]authorizationv1.ExtraValue
}

func requesterOf(object *Object) Requester {
	q := Requester{Username: object.Spec.Username, Groups: object.Spec.Groups, uid: object.Spec.UID, extra: map[string]authorizationv1.ExtraValue{}}
	for key, values := range object.Spec.Extra {
		q.extra[key] = authorizationv1.ExtraValue(values)
	}
	return q
}

// Login says whether a certificate logs its holder in to the API server.
type Login string

// The answers.
const (
	LogsIn      Login = "yes"
	LogsNoneIn  Login = "no"
	LogsInIf    Login = "if the signer's CA is in --client-ca-file of the API server"
	loginUnread Login = "no: the request cannot be read"
)

// Lifetime is how long a certificate lives, in seconds.
type Lifetime struct {
	Requested int32      `json:"requested,omitempty"` // 0: as long as the signer gives
	Issued    int64      `json:"issued,omitempty"`    // of the certificate that is there
	NotAfter  *time.Time `json:"notAfter,omitempty"`  // of that
	Limit     string     `json:"limit"`               // what is known of the signer's
}

// Problem is a rule that a request breaks.
type Problem struct {
	What string `json:"what"`
	// Fails is true where the signer will fail the request, and false for what
	// pkictl would not submit but the signer signs.
	Fails bool `json:"fails"`
}

// Decode reads a request, without asking anybody what it would allow.
func Decode(object *Object) *Review {
	r := &Review{
		Name: object.Name, UID: string(object.UID), ResourceVersion: object.ResourceVersion,
		State: StateOf(object), Created: object.CreationTimestamp.Time,
		AskedBy: requesterOf(object),
		Signer:  object.Spec.SignerName, SignedBy: "whoever serves this signer; kube-controller-manager does not",
		Lifetime: Lifetime{Limit: "set by whoever signs; no API tells it"},
	}
	for _, usage := range object.Spec.Usages {
		r.Usages = append(r.Usages, string(usage))
	}
	if object.Spec.ExpirationSeconds != nil {
		r.Lifetime.Requested = *object.Spec.ExpirationSeconds
	}
	if rulesOf(r.Signer) != nil {
		r.SignedBy = "kube-controller-manager, with the cluster's CA"
		r.Lifetime.Limit = "that of kube-controller-manager (--cluster-signing-duration, a year by default), which no API tells; it shortens without a word"
	}
	r.readStatus(object)
	r.readRequest(object)
	r.findProblems(object)
	return r
}

// readStatus reads what has become of the request so far, and until when the
// object is kept (kubernetes, pkg/controller/certificates/cleaner/cleaner.go).
func (r *Review) readStatus(object *Object) {
	keep := func(from time.Time, d time.Duration) {
		if end := from.Add(d); !from.IsZero() && (r.Collected == nil || end.Before(*r.Collected)) {
			r.Collected = &end
		}
	}
	issued := len(object.Status.Certificate) > 0
	if len(object.Status.Conditions) == 0 {
		keep(r.Created, 24*time.Hour)
	}
	for _, c := range object.Status.Conditions {
		r.Why = strings.Join(slices.DeleteFunc([]string{c.Reason, c.Message}, func(s string) bool { return s == "" }), ": ")
		if c.Type == certificatesv1.CertificateApproved && !issued {
			keep(c.LastUpdateTime.Time, 24*time.Hour)
		} else {
			keep(c.LastUpdateTime.Time, time.Hour)
		}
	}
	block, _ := pem.Decode(object.Status.Certificate)
	if block == nil {
		return
	}
	if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
		r.Lifetime.Issued, r.Lifetime.NotAfter = int64(cert.NotAfter.Sub(cert.NotBefore).Seconds()), &cert.NotAfter
	}
}

// maxRSA is the size of the largest RSA key, in bits, with which a signature is
// checked: with that of somebody who wishes us ill it would take minutes.
const maxRSA = 16384

// readRequest reads the PKCS#10 request.
func (r *Review) readRequest(object *Object) {
	r.LogsIn = loginUnread
	request := Request(object)
	if request == nil {
		return
	}
	r.request = request
	r.Subject, r.CommonName, r.Groups = ca.FormatName(request.RawSubject), request.Subject.CommonName, request.Subject.Organization
	for _, name := range request.Subject.Names {
		if name.Type.String() == "2.5.4.3" {
			r.CommonNames++
		}
	}
	r.SANs = ca.SANs{DNS: request.DNSNames, IPs: request.IPAddresses, URIs: request.URIs, Emails: request.EmailAddresses}.Strings()
	r.Key, r.KeySHA256 = ca.KeyName(request.PublicKey), keyHash(request)
	r.Signature = request.SignatureAlgorithm.String()
	key, isRSA := request.PublicKey.(*rsa.PublicKey)
	r.SignatureGood = (!isRSA || key.N.BitLen() <= maxRSA) && request.CheckSignature() == nil
	r.ForOther = r.AskedBy.Username != r.CommonName
	r.LogsIn = r.login()
}

func (r *Review) login() Login {
	rules := rulesOf(r.Signer)
	switch {
	case rules != nil && slices.Contains(rules.required, clientAuth):
		return LogsIn
	case rules != nil:
		return LogsNoneIn
	case slices.Contains(r.Usages, clientAuth) || slices.Contains(r.Usages, string(certificatesv1.UsageAny)):
		return LogsInIf
	}
	return LogsNoneIn
}

// findProblems holds the request against the rules of its signer, and of
// pkictl csr submit.
func (r *Review) findProblems(object *Object) {
	request, err := ca.ParseRequest(object.Spec.Request, r.Name)
	if err != nil {
		r.problem(true, err)
		return
	}
	if r.CommonName == "" && r.LogsIn != LogsNoneIn {
		r.Problems = append(r.Problems, Problem{"it has no common name: an API server takes nobody from such a certificate", false})
	}
	if r.CommonNames > 1 {
		r.Problems = append(r.Problems, Problem{fmt.Sprintf("it has %d common names, of which the last counts", r.CommonNames), false})
	}
	if rules := rulesOf(r.Signer); rules != nil {
		if rules.node {
			r.problem(true, rules.checkNode(r.CommonName, r.Groups))
		}
		r.problem(true, rules.checkNames(request.X509()))
		r.problem(true, rules.checkUsages(r.Usages))
	}
	_, err = request.Check(rulesOf(r.Signer) == nil)
	r.problem(false, err)
	if r.CommonNames == 1 {
		_, _, err = request.Subject()
		r.problem(false, err)
	}
}

func (r *Review) problem(fails bool, err error) {
	if err != nil {
		r.Problems = append(r.Problems, Problem{err.Error(), fails})
	}
}

// Reviewer reviews requests. It reads bindings and roles once for all of them.
type Reviewer struct {
	client          *kubeclient.Client
	bindings, roles func(context.Context) (*rbacState, error)
	service         func(context.Context) ([]string, error) // its IP addresses
}

// NewReviewer returns a Reviewer that asks as the client's user. It may be used
// by several goroutines.
func NewReviewer(client *kubeclient.Client) *Reviewer {
	v := &Reviewer{client: client}
	v.bindings = once(func(ctx context.Context) (*rbacState, error) {
		list, err := listBindings(ctx, client, "")
		return &rbacState{Bindings: list}, err
	})
	v.service = once(func(ctx context.Context) ([]string, error) { return serviceIPs(ctx, client) })
	v.roles = once(func(ctx context.Context) (*rbacState, error) {
		state, err := v.bindings(ctx)
		if err != nil {
			return state, err
		}
		full := *state
		return &full, full.listRoles(ctx, client)
	})
	return v
}

// once returns a function that asks the first time only, and again where that
// did not work.
func once[T any](ask func(context.Context) (T, error)) func(context.Context) (T, error) {
	slot := make(chan struct{}, 1)
	var answer T
	var err error
	isKnown := false
	return func(ctx context.Context) (T, error) {
		slot <- struct{}{}
		defer func() { <-slot }()
		if !isKnown {
			answer, err = ask(ctx)
			isKnown = err == nil || apierrors.IsForbidden(err)
		}
		return answer, err
	}
}

// Review decodes a request and works out what its certificate would allow. What
// the client may not ask is said in the result; an error is that of a request
// to the API server that did not work.
func (v *Reviewer) Review(ctx context.Context, object *Object) (*Review, error) {
	r := Decode(object)
	if (r.LogsIn == LogsIn || r.LogsIn == LogsInIf) && r.CommonName != "" {
		var err error
		if r.User, err = v.accessOf(ctx, r.CommonName, r.Groups); err != nil {
			return nil, err
		}
	}
	serving, err := v.concernsOfServing(ctx, r)
	if err != nil {
		return nil, err
	}
	asker, err := v.concernOfAsker(ctx, r)
	if err != nil {
		return nil, err
	}
	if asker != "" {
		serving = append(serving, asker)
	}
	r.conclude(serving)
	return r, nil
}

// ReviewOf reviews one request.
func ReviewOf(ctx context.Context, client *kubeclient.Client, object *Object) (*Review, error) {
	return NewReviewer(client).Review(ctx, object)
}

// conclude draws the concerns from what was found; further are those that took
// asking.
func (r *Review) conclude(further []string) {
	r.Concerns = []string{}
	concern := func(format string, args ...any) { r.Concerns = append(r.Concerns, fmt.Sprintf(format, args...)) }
	if r.User != nil {
		if r.User.Access == nil {
			concern("what it would allow is not known: %s", r.User.Unknown)
		} else {
			r.Concerns = append(r.Concerns, concernsOf(r.User.Access.Dangers)...)
		}
	}
	r.concernOfNames(concern)
	r.Concerns = append(r.Concerns, further...)
	if r.User != nil && r.User.Access != nil && r.User.Access.OnlyAsked {
		concern("what it would allow elsewhere than in %s is not known: listing all bindings is not allowed", strings.Join(r.User.Access.Namespaces, ", "))
	}
	for _, p := range r.Problems {
		if p.Fails {
			concern("it would fail: %s", p.What)
		} else {
			concern("it is not sound: %s", p.What)
		}
	}
}

// concernOfNames finds names that mean something to Kubernetes' own parts.
func (r *Review) concernOfNames(concern func(format string, args ...any)) {
	if rules := rulesOf(r.Signer); r.LogsIn == LogsNoneIn || rules != nil && rules.node {
		return
	}
	if ca.IsReserved(r.CommonName) {
		concern("the user name %q is one that Kubernetes keeps for its own parts", r.CommonName)
	}
	for _, group := range r.Groups {
		if ca.IsReserved(group) {
			concern("the group %q is one that Kubernetes keeps for its own parts", group)
		}
	}
}

// concernsOf puts the dangers to the whole cluster into a sentence for each
// place.
func concernsOf(dangers []Danger) []string {
	var places []string
	at := map[string][]Danger{}
	for _, d := range dangers {
		if !d.WholeCluster {
			continue
		}
		place := " in the whole cluster"
		if d.Namespaces != nil {
			place = " in " + strings.Join(d.Namespaces, ", ")
		}
		if d.Through != "" {
			place += ": this leads to " + d.Through
		}
		if at[place] == nil {
			places = append(places, place)
		}
		at[place] = append(at[place], d)
	}
	var concerns []string
	for _, place := range places {
		var may []string
		for _, d := range at[place] {
			if may = append(may, d.May); d.Names != nil {
				may[len(may)-1] += " (" + strings.Join(d.Names, ", ") + ")"
			}
		}
		concern := "they could " + strings.Join(may, ", ") + place
		if d := at[place][0]; len(may) == 1 && d.Through == "" {
			concern += ": " + d.Why
		}
		concerns = append(concerns, concern)
	}
	return concerns
}
