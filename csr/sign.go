package csr

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/store"
)

// SignOptions say with which CA an approved request is signed.
type SignOptions struct {
	Dir          string        // of the CA
	Max          time.Duration // the longest lifetime; 0: ca.DefaultValidity
	Allow        []string      // what ca.IssueOptions.Allow lets through
	AllowBuiltin bool          // also for the signers of Kubernetes
	DryRun       bool          // check all, here and by the API server, and sign nothing
	Now          time.Time
	Waiting      func()        // called when the directory is locked by another
	Passphrase   ca.Passphrase // asked when the CA's key is encrypted; may be nil
}

// SignResult is what Sign did.
type SignResult struct {
	Object      *Object           // with the certificate; as it was with DryRun
	Certificate *x509.Certificate // with DryRun signed by a key that was thrown away
	Profile     string
	CertPath    string // its copy in the PKI directory
	Found       bool   // an earlier run has signed it
	Warnings    []string
}

// Sign signs an approved request with the CA in o.Dir and gives the certificate
// to the API server. The certificate is in the inventory first, and in a file of
// the PKI directory: killed in between, or where the API server does not take
// it, Sign sends the same certificate when it is called again. Who calls it may
// update certificatesigningrequests/status, and sign for the signer.
func Sign(ctx context.Context, c *kubeclient.Client, name string, o SignOptions) (*SignResult, error) {
	object, err := Get(ctx, c, name)
	if err != nil {
		return nil, err
	}
	if o.Dir == "" {
		o.Dir = ca.DefaultDir
	}
	if err := o.check(object); err != nil {
		return nil, err
	}
	issue, warnings, err := o.issueOptions(object)
	if err != nil {
		return nil, err
	}
	r := &SignResult{Object: object, Profile: issue.Profile, CertPath: issue.Out + ".crt"}
	if !o.DryRun {
		if err := store.Recover(ctx, o.Dir, o.Waiting); err != nil {
			return nil, err
		}
	}
	if err := r.find(ctx, o, issue); err != nil {
		return nil, err
	}
	switch {
	case r.Certificate != nil:
		r.Found = true
	case len(object.Status.Certificate) > 0:
		return nil, alreadySigned(object)
	case !o.DryRun:
		err = r.issue(ctx, c, o, issue)
	default:
		err = r.rehearse(ctx, c, issue)
	}
	if !r.Found { // which was said then
		r.Warnings = append(warnings, r.Warnings...)
	}
	if err != nil || o.DryRun {
		return r, err
	}
	r.Object, err = publish(ctx, c, r.Object, r.presented(o.Dir))
	return r, err
}

// check refuses what is not approved, not for an own signer, or done.
func (o SignOptions) check(object *Object) error {
	signer := object.Spec.SignerName
	rules := rulesOf(signer)
	switch state := StateOf(object); {
	case state == StatePending:
		return refuse("have it approved with: pkictl csr approve "+object.Name, "certificate signing request %q is not approved", object.Name)
	case state == StateDenied, state == StateFailed:
		return ended(object)
	case rules == nil && strings.HasPrefix(signer, kubernetesDomain):
		return refuse("leave it to what serves that signer", "certificate signing request %q is for %s, which is Kubernetes' own", object.Name, signer)
	case rules != nil && !o.AllowBuiltin:
		return refuse("leave it to kube-controller-manager; where that has no key of the CA, add --allow-builtin",
			"certificate signing request %q is for %s, which is Kubernetes' own", object.Name, signer)
	case rules != nil:
		return Check(o.asked(object))
	}
	return nil
}

// asked is what an object asks for, to be checked by the rules of its signer.
func (o SignOptions) asked(object *Object) SubmitOptions {
	asked := SubmitOptions{
		RequestPEM: object.Spec.Request, Source: object.Name, Signer: object.Spec.SignerName, Allow: o.Allow,
	}
	for _, usage := range object.Spec.Usages {
		asked.Usages = append(asked.Usages, string(usage))
	}
	return asked
}

// issueOptions turns an object into what is issued.
func (o SignOptions) issueOptions(object *Object) (ca.IssueOptions, []string, error) {
	request, err := ca.ParseRequest(object.Spec.Request, object.Name)
	if err != nil {
		return ca.IssueOptions{}, nil, err
	}
	profile, warnings, err := profileFor(object, request.X509().PublicKey)
	if err != nil {
		return ca.IssueOptions{}, nil, err
	}
	authority, err := ca.Open(o.Dir)
	if err != nil {
		return ca.IssueOptions{}, nil, err
	}
	lifetime, shortened := o.lifetime(object, authority.Certificate.NotAfter)
	if shortened != "" {
		warnings = append(warnings, shortened)
	}
	issue := ca.IssueOptions{
		Dir: o.Dir, Profile: profile, Allow: o.Allow, Validity: fmt.Sprintf("%ds", lifetime/time.Second),
		Out: filepath.Join(o.Dir, fileName(object)), Now: o.Now, Waiting: o.Waiting, Passphrase: o.Passphrase,
	}
	if lifetime < time.Second {
		issue.Validity = "" // the CA has ended, which Issue says better
	}
	return issue, warnings, issue.TakeRequest(request)
}

// lifetime is what was asked for, within the limits of o and of the CA; as
// signers of Kubernetes do, it gives less rather than nothing.
func (o SignOptions) lifetime(object *Object, end time.Time) (time.Duration, string) {
	longest := o.Max
	if longest == 0 {
		longest = ca.DefaultValidity
	}
	limit := "--max-validity"
	if left := end.Sub(o.Now.UTC().Truncate(time.Second)); left < longest {
		longest, limit = left, "the end of the CA"
	}
	if object.Spec.ExpirationSeconds == nil {
		return longest, ""
	}
	asked := time.Duration(*object.Spec.ExpirationSeconds) * time.Second
	if asked <= longest {
		return asked, ""
	}
	return longest, fmt.Sprintf("certificate signing request %q asks for %s and gets %s: %s is the limit",
		object.Name, ca.FormatValidity(asked), ca.FormatValidity(longest), limit)
}

// fileName is the name of the certificate's file, without .crt: the object's, as
// far as that fits into one, with the beginning of its UID, as another object may
// have the name later.
func fileName(object *Object) string {
	id, _, _ := strings.Cut(string(object.UID), "-")
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, object.Name)
	return "csr-" + name[:min(len(name), 100)] + "-" + id
}

// profileFor returns the built-in profile whose certificates have the usages
// that were approved, and no others. Key encipherment is an exception: it is for
// the RSA keys of servers alone, but most requests ask for it.
func profileFor(object *Object, pub crypto.PublicKey) (string, []string, error) {
	var asked []string
	for _, usage := range object.Spec.Usages {
		asked = append(asked, string(usage))
	}
	extended := func(usage string) bool { return slices.Contains(asked, usage) }
	profile := ca.ProfileClient
	switch {
	case extended(serverAuth) && extended(clientAuth):
		profile = ca.ProfilePeer
	case extended(serverAuth):
		profile = ca.ProfileServer
	}
	given, err := ca.UsagesOf(profile, pub)
	if err != nil {
		return "", nil, err
	}
	var warnings []string
	for _, usage := range asked {
		switch {
		case slices.Contains(given, usage):
		case usage == keyEncipherment:
			warnings = append(warnings, fmt.Sprintf("certificate signing request %q asks for the usage %s, which is for RSA keys of servers; it is left out", object.Name, usage))
		default:
			return "", nil, refuse("deny it, or sign it with a signer that knows that usage",
				"certificate signing request %q asks for the usage %q, which %s certificates of pkictl do not have", object.Name, usage, profile)
		}
	}
	for _, usage := range given {
		if !slices.Contains(asked, usage) {
			return "", nil, refuse(fmt.Sprintf("have it submitted again with --usage %q", usage),
				"certificate signing request %q does not ask for the usage %q, which %s certificates of pkictl have", object.Name, usage, profile)
		}
	}
	return profile, warnings, nil
}

// find looks for the certificate that an earlier run has signed for the object:
// the one of its name and key.
func (r *SignResult) find(ctx context.Context, o SignOptions, issue ca.IssueOptions) error {
	entries, err := ca.List(ctx, ca.ListOptions{Dir: o.Dir, Name: filepath.Base(issue.Out), Now: o.Now, WithPEM: true})
	if err != nil {
		return err
	}
	request := Request(r.Object)
	if request == nil {
		return failure.New(failure.Failed, newRequestHint, "certificate signing request %q holds no request in PEM form", r.Object.Name)
	}
	for _, entry := range entries {
		block, _ := pem.Decode([]byte(entry.PEM))
		if block == nil {
			continue // a number that was taken, and no certificate
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !bytes.Equal(cert.RawSubjectPublicKeyInfo, request.RawSubjectPublicKeyInfo) {
			continue
		}
		switch entry.State {
		case ca.StateValid, ca.StateReplaced:
			r.Certificate = cert
		case ca.StateRevoked, ca.StateExpired:
			return failure.New(failure.Failed, "have a new request submitted",
				"certificate signing request %q was signed before, and the certificate (serial %s) is %s", r.Object.Name, entry.Serial, entry.State)
		case ca.StateIncomplete:
		}
	}
	return nil
}

// rehearse has the API server check that the status may be written, with a
// certificate that was signed with a key that is thrown away.
func (r *SignResult) rehearse(ctx context.Context, c *kubeclient.Client, issue ca.IssueOptions) error {
	issue.DryRun = true
	result, err := ca.Issue(ctx, issue)
	if err != nil {
		return err
	}
	r.Certificate, r.Warnings = result.Certificate, result.Warnings
	changed := r.Object.DeepCopy()
	changed.Status.Certificate = ca.EncodeCertificates(result.Certificate)
	err = c.UpdateDryRun(ctx, kubeclient.CertificateSigningRequests+"/"+r.Object.Name+"/status", changed, &Object{})
	if err != nil && !apierrors.IsConflict(err) && !isLost(err) { // which publish gets over
		return signError(err, r.Object)
	}
	return nil
}

// issue signs, once it is known that the API server would take the certificate.
func (r *SignResult) issue(ctx context.Context, c *kubeclient.Client, o SignOptions, issue ca.IssueOptions) error {
	if err := r.rehearse(ctx, c, issue); err != nil {
		return err
	}
	r.Certificate = nil
	result, err := ca.Issue(ctx, issue)
	if err == nil {
		r.Certificate, r.Warnings = result.Certificate, result.Warnings
		return nil
	}
	// Another run may have been faster.
	if found := r.find(ctx, o, issue); found != nil || r.Certificate == nil {
		return err
	}
	r.Found = true
	return nil
}

// presented is the certificate with the intermediate CAs that its users send
// along.
func (r *SignResult) presented(dir string) []byte {
	data := ca.EncodeCertificates(r.Certificate)
	if authority, err := ca.Open(dir); err == nil {
		data = append(data, ca.EncodeCertificates(authority.Presented()...)...)
	}
	return data
}

// publish puts the certificate into the object's status.
func publish(ctx context.Context, c *kubeclient.Client, object *Object, certPEM []byte) (*Object, error) {
	at, err := objectPath(object.Name)
	if err != nil {
		return nil, err
	}
	var refused error
	for attempt := range attempts {
		if bytes.Equal(object.Status.Certificate, certPEM) {
			return object, nil
		}
		if len(object.Status.Certificate) > 0 {
			return nil, alreadySigned(object)
		}
		if err := ended(object); err != nil {
			return nil, err
		}
		changed := object.DeepCopy()
		changed.Status.Certificate = certPEM
		updated := &Object{}
		refused = c.Update(ctx, at+"/status", changed, updated)
		switch {
		case refused == nil:
			return updated, nil
		case apierrors.IsNotFound(refused):
			return nil, gone(object.Name, StateDeleted)
		case !apierrors.IsConflict(refused) && !isLost(refused):
			return nil, signError(refused, object)
		}
		if err := pause(ctx, attempt); err != nil {
			return nil, err
		}
		if object, err = get(ctx, c, object.Name, object); err != nil {
			return nil, err
		}
	}
	return nil, signError(refused, object)
}

func alreadySigned(object *Object) error {
	by := ""
	if cert := Certificate(object); cert != nil {
		by = " by " + ca.FormatName(cert.RawIssuer)
	}
	return failure.New(failure.Failed, "save its certificate with: pkictl csr wait "+object.Name+" --out FILE",
		"certificate signing request %q was signed already%s", object.Name, by)
}

func signError(err error, object *Object) error {
	return fmt.Errorf("cannot sign certificate signing request %q: %w", object.Name, err)
}
