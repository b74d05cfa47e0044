package csr

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// What an object of pkictl carries, so that it finds its own again.
const (
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "pkictl"

	// AnnotationPrefix begins the names of all annotations.
	AnnotationPrefix = "pkictl.dev/"
	// AnnotationKey is the SHA-256 of the public key (SubjectPublicKeyInfo), in
	// hexadecimal.
	AnnotationKey = AnnotationPrefix + "public-key-sha256"
)

// SubmitOptions say what is asked of a signer.
type SubmitOptions struct {
	RequestPEM []byte        // PKCS#10, in PEM or DER form
	Source     string        // what errors call the request: a file name
	Signer     string        // empty: SignerClient
	Usages     []string      // empty: by signer and kind of key
	Expiration time.Duration // whole seconds, 10m at least; 0: the signer's
	Name       string        // of the object; empty: made of the common name and a hash of what is asked
	// Annotations are added to the object. Their names begin with
	// AnnotationPrefix.
	Annotations map[string]string
	// Allow lets through what Check refuses otherwise, by the names that
	// ca.IssueOptions.Allow takes.
	Allow []string
	// Now is used to say whether a certificate that is there has ended. Zero: it
	// does not matter.
	Now time.Time
	// DryRun has the API server check the request and keep nothing.
	DryRun bool

	// made says that RequestPEM was made just now for names that were checked:
	// its signature and names are not checked again.
	made bool
}

// NewObject checks the options and returns the object that Submit sends, with
// warnings about what was allowed.
func NewObject(o SubmitOptions) (object *Object, warnings []string, err error) {
	p, err := o.prepare()
	if err != nil {
		return nil, nil, err
	}
	object = &Object{
		TypeMeta: metav1.TypeMeta{APIVersion: certificatesv1.SchemeGroupVersion.String(), Kind: "CertificateSigningRequest"},
		ObjectMeta: metav1.ObjectMeta{
			Name: o.Name, Labels: map[string]string{LabelManagedBy: ManagedBy},
			Annotations: map[string]string{AnnotationKey: keyHash(p.request)},
		},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			// As the API server takes it: it refuses DER, and other labels.
			Request: ca.EncodeRequest(p.request.Raw), SignerName: p.signer,
		},
	}
	maps.Copy(object.Annotations, o.Annotations)
	for _, usage := range p.usages {
		object.Spec.Usages = append(object.Spec.Usages, certificatesv1.KeyUsage(usage))
	}
	if p.expiration > 0 {
		object.Spec.ExpirationSeconds = &p.expiration
	}
	if object.Name == "" {
		object.Name = p.name()
	}
	return object, p.warnings, nil
}

// name returns the name of an object: readable, and the same for the same
// request. A request that is made again with the same key has another signature,
// so that the hash is over what was signed.
func (p *prepared) name() string {
	hash := sha256.New()
	hash.Write(p.request.RawTBSCertificateRequest)
	fmt.Fprintf(hash, "\x00%s\x00%s\x00%d", p.signer, strings.Join(slices.Sorted(slices.Values(p.usages)), ","), p.expiration)
	readable := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, p.commonName)
	if len(readable) > 40 {
		readable = readable[:40]
	}
	if readable = strings.Trim(readable, "-"); readable == "" {
		readable = "csr"
	}
	return readable + "-" + hex.EncodeToString(hash.Sum(nil))[:12]
}

func keyHash(request *x509.CertificateRequest) string {
	sum := sha256.Sum256(request.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// Submit sends a request, unless it is there already: however often the same is
// submitted, and whatever breaks on the way, there is one object. Created says
// whether this call made it. An object that was denied or has failed, whose
// certificate has ended, or that is another's under the same name, is returned
// with an error.
func Submit(ctx context.Context, c *kubeclient.Client, o SubmitOptions) (object *Object, created bool, err error) {
	wanted, _, err := NewObject(o)
	if err != nil {
		return nil, false, err
	}
	object, created, err = create(ctx, c, wanted, o.DryRun)
	if err != nil || created {
		return object, created, err
	}
	if what := difference(wanted, object); what != "" {
		return object, false, failure.New(failure.Failed, "choose another name with --name, or look at it with: pkictl csr review "+object.Name,
			"certificate signing request %q exists and is another's: %s", object.Name, what)
	}
	if err := ended(object); err != nil {
		return object, false, err
	}
	if cert := Certificate(object); cert != nil && o.Now.After(cert.NotAfter) {
		return object, false, failure.New(failure.Failed, newRequestHint,
			"certificate signing request %q was issued before, and its certificate ended on %s", object.Name, cert.NotAfter.UTC().Format(time.RFC3339))
	}
	return object, false, nil
}

// create makes the object, or finds the one of that name. Where the answer was
// lost it asks again: then what it finds is what it has made.
func create(ctx context.Context, c *kubeclient.Client, wanted *Object, dryRun bool) (object *Object, created bool, err error) {
	send := c.Create
	if dryRun {
		send = c.CreateDryRun
	}
	lost := false
	for attempt := range attempts {
		object = &Object{}
		err = send(ctx, kubeclient.CertificateSigningRequests, wanted, object)
		if err == nil {
			return object, true, nil
		}
		if apierrors.IsAlreadyExists(err) {
			if object, err = Get(ctx, c, wanted.Name); err == nil {
				return object, lost && difference(wanted, object) == "", nil
			}
			if !isMissing(err) { // otherwise it went in between
				return nil, false, err
			}
		} else if !isLost(err) {
			return nil, false, submitError(err, wanted)
		}
		lost = true
		if err := pause(ctx, attempt); err != nil {
			return nil, false, err
		}
	}
	return nil, false, submitError(err, wanted)
}

func submitError(err error, wanted *Object) error {
	return fmt.Errorf("cannot submit certificate signing request %q: %w", wanted.Name, err)
}

// difference says how an object differs from the one that was to be made; it is
// empty where the same is asked for.
func difference(wanted, found *Object) string {
	seconds := func(o *Object) int32 {
		if o.Spec.ExpirationSeconds == nil {
			return 0
		}
		return *o.Spec.ExpirationSeconds
	}
	sorted := func(o *Object) []certificatesv1.KeyUsage { return slices.Sorted(slices.Values(o.Spec.Usages)) }
	switch {
	case !bytes.Equal(signedPart(wanted), signedPart(found)):
		return "it holds another request"
	case wanted.Spec.SignerName != found.Spec.SignerName:
		return fmt.Sprintf("it asks the signer %q", found.Spec.SignerName)
	case !slices.Equal(sorted(wanted), sorted(found)):
		return "it asks for other usages"
	case seconds(wanted) != seconds(found):
		return "it asks for another lifetime"
	}
	return ""
}

// signedPart returns what of the request in an object its signature is over, nil
// where it holds none.
func signedPart(object *Object) []byte {
	request := Request(object)
	if request == nil {
		return nil
	}
	return request.RawTBSCertificateRequest
}

// Request returns the PKCS#10 request in an object, nil where there is none that
// can be read: API servers let in only what they could read.
func Request(object *Object) *x509.CertificateRequest {
	block, _ := pem.Decode(object.Spec.Request)
	if block == nil {
		return nil
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil
	}
	return request
}
