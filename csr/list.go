package csr

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// ListOptions limit what List returns; zero fields do not.
type ListOptions struct {
	State  State
	Signer string
	Mine   bool              // only what pkictl has made: those with its label
	Labels map[string]string // only those with these labels
	// Progress is told how many were read. It may be nil.
	Progress func(read int)
}

// ParseState returns the state with that name, none for an empty one.
func ParseState(name string) (State, error) {
	if name == "" || slices.Contains(States(), State(name)) {
		return State(name), nil
	}
	var names []string
	for _, state := range States() {
		names = append(names, string(state))
	}
	return "", failure.New(failure.Usage, "choose one of "+strings.Join(names, ", "), "unknown state %q", name)
}

func (o ListOptions) selectors() metav1.ListOptions {
	list := metav1.ListOptions{}
	set := labels.Set{}
	for name, value := range o.Labels {
		set[name] = value
	}
	if o.Mine {
		set[LabelManagedBy] = ManagedBy
	}
	list.LabelSelector = set.String()
	if o.Signer != "" {
		list.FieldSelector = fields.OneTermEqualSelector("spec.signerName", o.Signer).String()
	}
	return list
}

// List returns the objects, the oldest first. It reads them page by page.
func List(ctx context.Context, c *kubeclient.Client, o ListOptions) ([]Object, error) {
	objects, err := o.list(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("cannot list certificate signing requests: %w", err)
	}
	slices.SortStableFunc(objects, func(a, b Object) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return objects, nil
}

func (o ListOptions) list(ctx context.Context, c *kubeclient.Client) ([]Object, error) {
	read := 0
	return allPages(o.selectors(), func(options metav1.ListOptions) ([]Object, string, error) {
		page := &certificatesv1.CertificateSigningRequestList{}
		if err := c.List(ctx, kubeclient.CertificateSigningRequests, options, page); err != nil {
			return nil, "", err
		}
		if options.Continue == "" {
			read = 0
		}
		read += len(page.Items)
		if o.Progress != nil {
			o.Progress(read)
		}
		return slices.DeleteFunc(page.Items, func(object Object) bool { return o.State != "" && StateOf(&object) != o.State }), page.Continue, nil
	})
}

// Summary is what an object says, decoded. Its strings are as others wrote them.
type Summary struct {
	Name       string            `json:"name"`
	UID        string            `json:"uid"`
	Created    time.Time         `json:"created"`
	Requestor  string            `json:"requestor"` // who submitted it
	Subject    string            `json:"subject"`
	CommonName string            `json:"commonName,omitempty"`
	Groups     []string          `json:"groups,omitempty"`
	SANs       []string          `json:"sans,omitempty"`
	Key        string            `json:"key"`
	Signer     string            `json:"signer"`
	Usages     []string          `json:"usages"`
	Asked      int64             `json:"requestedSeconds,omitempty"` // lifetime; 0: the signer's
	State      State             `json:"state"`
	Reason     string            `json:"reason,omitempty"` // of the last decision
	Message    string            `json:"message,omitempty"`
	Mine       bool              `json:"managedByPkictl"`
	Notes      map[string]string `json:"annotations,omitempty"` // those of pkictl
	NotBefore  *time.Time        `json:"notBefore,omitempty"`
	NotAfter   *time.Time        `json:"notAfter,omitempty"`
}

// Summarize decodes an object.
func Summarize(object *Object) Summary {
	s := Summary{
		Name: object.Name, UID: string(object.UID), Created: object.CreationTimestamp.UTC(), Requestor: object.Spec.Username,
		Signer: object.Spec.SignerName, State: StateOf(object), Mine: object.Labels[LabelManagedBy] == ManagedBy,
		Subject: "(not a request)", Key: "unknown",
	}
	for _, usage := range object.Spec.Usages {
		s.Usages = append(s.Usages, string(usage))
	}
	if seconds := object.Spec.ExpirationSeconds; seconds != nil {
		s.Asked = int64(*seconds)
	}
	for name, value := range object.Annotations {
		if strings.HasPrefix(name, AnnotationPrefix) {
			if s.Notes == nil {
				s.Notes = map[string]string{}
			}
			s.Notes[name] = value
		}
	}
	s.addRequest(Request(object))
	for _, kind := range []certificatesv1.RequestConditionType{
		certificatesv1.CertificateApproved, certificatesv1.CertificateFailed, certificatesv1.CertificateDenied,
	} {
		if c := conditionOf(object, kind); c != nil {
			s.Reason, s.Message = c.Reason, c.Message
		}
	}
	if cert := Certificate(object); cert != nil {
		notBefore, notAfter := cert.NotBefore.UTC(), cert.NotAfter.UTC()
		s.NotBefore, s.NotAfter = &notBefore, &notAfter
	}
	return s
}

func (s *Summary) addRequest(request *x509.CertificateRequest) {
	if request == nil {
		return
	}
	s.Subject, s.CommonName, s.Groups = ca.FormatName(request.RawSubject), request.Subject.CommonName, request.Subject.Organization
	s.SANs = ca.SANs{DNS: request.DNSNames, IPs: request.IPAddresses, URIs: request.URIs, Emails: request.EmailAddresses}.Strings()
	s.Key = ca.KeyName(request.PublicKey)
}

// AskedLifetime says in words what lifetime was asked for; it is empty where
// that was left to the signer.
func (s Summary) AskedLifetime() string {
	if s.Asked == 0 {
		return ""
	}
	return ca.FormatValidity(time.Duration(s.Asked) * time.Second)
}

// AllowedLifetime says in words what lifetime the certificate has; it is empty
// where there is none. Signers backdate, and some take that off the end.
func (s Summary) AllowedLifetime() string {
	if s.NotAfter == nil {
		return ""
	}
	allowed := s.NotAfter.Sub(*s.NotBefore)
	if asked := time.Duration(s.Asked) * time.Second; asked > 0 && (allowed-asked).Abs() <= ca.Backdate {
		return s.AskedLifetime()
	}
	return ca.FormatValidity(allowed)
}

// Certificate returns the certificate in an object, nil where there is none.
func Certificate(object *Object) *x509.Certificate {
	block, _ := pem.Decode(object.Status.Certificate)
	if block == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return cert
}
