package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	sigyaml "sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// readAdmissionCheck reads the parameters of a check of what the API server of the
// lab's cluster admits. It is asked by dry runs, so that nothing is kept:
//
//	denied    requests that must be denied, see readRequests
//	message   what the refusal must say; it has to come from admission, and not from
//	          a webhook that cannot be called
//	admitted  requests that must be admitted
//	webhook   {service: NAMESPACE/NAME, certificate: FILE, key: FILE, registry: HOST}:
//	          a Webhook that this program serves meanwhile with the learner's
//	          certificate and key, at the first port of that Service. If the port is
//	          in use, what serves there is asked
func readAdmissionCheck(p *params) (grader, error) {
	var a admissionCheck
	err := p.fields(
		yamlfile.Key{Name: "denied", Read: func(n *yaml.Node) error { return readRequests(p, n, "denied", &a.denied) }},
		p.text("message", &a.message),
		yamlfile.Key{Name: "admitted", Read: func(n *yaml.Node) error { return readRequests(p, n, "admitted", &a.admitted) }},
		yamlfile.Key{Name: "webhook", Read: func(n *yaml.Node) error {
			a.webhook = &servedWebhook{}
			return a.webhook.read(p, n)
		}},
	)
	if err == nil {
		err = p.needsCluster()
	}
	switch {
	case err != nil:
		return nil, err
	case len(a.denied)+len(a.admitted) == 0:
		return nil, p.ErrorAt(p.node, "write denied or admitted, as in denied: [{create: bad-pod.yaml}]", "%s asks for nothing", p.what)
	case len(a.denied) > 0 && a.message == "":
		return nil, p.ErrorAt(p.node, "write a part of the message that is wanted", "%s does not say by what message it is denied", p.what)
	}
	return a.judge, nil
}

type admissionCheck struct {
	denied, admitted []tried
	message          string
	webhook          *servedWebhook
}

func (a *admissionCheck) judge(ctx context.Context, w *work) finding {
	wanted := a.wanted()
	admin, found := w.cluster(ctx)
	if found != "" {
		return finding{wanted: wanted, found: found}
	}
	if a.webhook != nil {
		end, found := a.webhook.serve(ctx, w, admin)
		if found != "" {
			return finding{wanted: wanted, found: found}
		}
		defer end()
	}
	for _, t := range a.denied {
		if f := a.askLate(ctx, t, admin, a.isDenied); !f.passed {
			return f
		}
	}
	for _, t := range a.admitted {
		if f := a.askLate(ctx, t, admin, isAdmitted); !f.passed {
			return f
		}
	}
	return finding{true, wanted, "as wanted"}
}

func (a *admissionCheck) wanted() string {
	var parts []string
	for _, t := range a.denied {
		parts = append(parts, t.text+" is denied")
	}
	if a.message != "" {
		parts = append(parts, fmt.Sprintf("the message says %q", a.message))
	}
	for _, t := range a.admitted {
		parts = append(parts, t.text+" is admitted")
	}
	return strings.Join(parts, "; ")
}

// askLate tries a request, once more if what the learner has just written may not have
// reached the admission yet. A webhook that hangs is not waited for.
func (a *admissionCheck) askLate(ctx context.Context, t tried, admin *kubeclient.Client, judge func(tried, error) finding) finding {
	timed, cancel := context.WithTimeout(ctx, admissionTime)
	defer cancel()
	for try := 0; ; try++ {
		err := t.try(timed, admin)
		if ctx.Err() == nil && timed.Err() != nil {
			err = fmt.Errorf("no answer within %s", admissionTime)
		}
		if f := judge(t, err); f.passed || try == lateTries || wait(timed) != nil {
			return f
		}
	}
}

// admissionTime bounds one request with its tries: less than the ten seconds that an API
// server waits for a webhook.
const admissionTime = 8 * time.Second

func (a *admissionCheck) isDenied(t tried, err error) finding {
	wanted := fmt.Sprintf("%s is denied with a message that says %q", t.text, a.message)
	switch {
	case err == nil:
		return finding{wanted: wanted, found: "it is admitted"}
	case strings.Contains(err.Error(), "failed calling webhook"), !strings.Contains(err.Error(), a.message):
		return finding{wanted: wanted, found: err.Error()}
	}
	return finding{true, wanted, ""}
}

func isAdmitted(t tried, err error) finding {
	if err != nil {
		return finding{wanted: t.text + " is admitted", found: err.Error()}
	}
	return finding{true, t.text + " is admitted", ""}
}

// tried is a request that is made as a dry run.
type tried struct {
	text  string
	path  string
	body  []byte
	patch bool
}

func (t tried) try(ctx context.Context, admin *kubeclient.Client) error {
	if t.patch {
		return admin.TryPatch(ctx, t.path, t.body)
	}
	return admin.TryCreate(ctx, t.path, t.body)
}

// readRequests reads requests, each with an object in a hidden file:
//
//	create       the file of an object that is created
//	patch        in its place: the file of a strategic merge patch, with kind and name
//	subresource  of the object that is patched, such as ephemeralcontainers
//	text         what it is, in words
func readRequests(p *params, n *yaml.Node, what string, to *[]tried) error {
	return p.elements(n, what, func(n *yaml.Node) error {
		var t tried
		var create, patch []byte
		var subresource string
		err := p.Mapping(n, "a request", p.hidden("create", &create), p.hidden("patch", &patch),
			p.text("subresource", &subresource), p.text("text", &t.text))
		switch {
		case err != nil:
			return err
		case t.text == "" || (create == nil) == (patch == nil) || subresource != "" && patch == nil:
			return p.ErrorAt(n, "write {create: pod.yaml, text: a pod with another image}", "a request needs a text, and create or patch")
		}
		t.patch = patch != nil
		if err := t.take(append(create, patch...), subresource); err != nil {
			return p.At(n, err)
		}
		*to = append(*to, t)
		return nil
	})
}

// take reads the object of a request.
func (t *tried) take(data []byte, subresource string) (err error) {
	if t.body, err = sigyaml.YAMLToJSONStrict(data); err != nil {
		return err
	}
	var head metav1.PartialObjectMetadata
	if err := json.Unmarshal(t.body, &head); err != nil || head.Kind == "" || head.Name == "" {
		return errors.New("it is no object with kind and name")
	}
	plural, _ := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(head.APIVersion, head.Kind))
	o := liveObject{apiVersion: head.APIVersion, resource: plural.Resource, namespace: head.Namespace}
	if t.patch {
		o.name = head.Name
	}
	if !o.isPlain() || strings.Trim(subresource, "abcdefghijklmnopqrstuvwxyz") != "" || subresource == "proxy" {
		return errors.New("it has a name that is none")
	}
	t.path = o.path()
	if subresource != "" {
		t.path += "/" + subresource
	}
	return nil
}

// servedWebhook is a Webhook with what the learner has made for it.
type servedWebhook struct {
	service          liveObject
	certificate, key string
	registry         string
}

func (s *servedWebhook) read(p *params, n *yaml.Node) error {
	var service string
	err := p.Mapping(n, "webhook", p.text("service", &service), p.file("certificate", &s.certificate),
		p.file("key", &s.key), p.text("registry", &s.registry))
	namespace, name, ok := strings.Cut(service, "/")
	s.service = liveObject{"v1", "services", namespace, name}
	if err == nil && (!ok || !s.service.isPlain() || s.certificate == "" || s.key == "" || s.registry == "") {
		err = p.ErrorAt(n, "give it service: NAMESPACE/NAME, certificate, key and registry", "webhook is not complete")
	}
	return err
}

// serve serves the webhook until end is called.
func (s *servedWebhook) serve(ctx context.Context, w *work, admin *kubeclient.Client) (end func(), found string) {
	hook := Webhook{Registry: s.registry}
	for _, part := range []struct {
		to   *[]byte
		name string
	}{{&hook.CertPEM, s.certificate}, {&hook.KeyPEM, s.key}} {
		if *part.to, found = w.learner.file(part.name, store.MaxPEM); found != "" {
			return nil, found
		}
	}
	port, found := s.port(ctx, admin)
	if found != "" {
		return nil, found
	}
	listener, err := hook.Listen(ctx, port)
	if errors.Is(err, syscall.EADDRINUSE) {
		return func() {}, "" // the learner has it run
	}
	if err != nil {
		return nil, err.Error()
	}
	serving, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = hook.Serve(serving, listener) // it ends by cancel
	}()
	return func() { cancel(); <-ended }, ""
}

// port returns that of the Service.
func (s *servedWebhook) port(ctx context.Context, admin *kubeclient.Client) (int, string) {
	data, err := admin.GetJSON(ctx, s.service.path())
	if apierrors.IsNotFound(err) {
		return 0, "there is no " + s.service.String() + " in the cluster"
	}
	if err != nil {
		return 0, err.Error()
	}
	var it struct {
		Spec struct {
			Ports []struct {
				Port int `json:"port"`
			} `json:"ports"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(data, &it); err != nil || len(it.Spec.Ports) == 0 {
		return 0, s.service.String() + " has no port"
	}
	return it.Spec.Ports[0].Port, ""
}
