// Package kubeclient calls an API server with the credential of a kubeconfig,
// and says in words what went wrong.
package kubeclient

import (
	"context"
	"encoding/pem"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/internal/failure"
)

// Paths of the resources that pkictl reads and writes.
const (
	CertificateSigningRequests = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
	ClusterRoles               = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
	ClusterRoleBindings        = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
	RoleBindings               = "/apis/rbac.authorization.k8s.io/v1/rolebindings" // of all namespaces
	Roles                      = "/apis/rbac.authorization.k8s.io/v1/roles"        // of all namespaces
	SelfSubjectAccessReviews   = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
	SelfSubjectRulesReviews    = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
	SubjectAccessReviews       = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
	SelfSubjectReviews         = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
	Namespaces                 = "/api/v1/namespaces"
	Nodes                      = "/api/v1/nodes"
)

// NamespacedRBAC returns the path of "roles" or "rolebindings" in a namespace.
func NamespacedRBAC(namespace, resource string) string {
	return "/apis/rbac.authorization.k8s.io/v1/namespaces/" + namespace + "/" + resource
}

// DefaultTimeout bounds each request but watches.
const DefaultTimeout = 30 * time.Second

// Options say which API server, and as whom. As kubectl does, the current
// context of the kubeconfigs is taken where none is named.
type Options struct {
	File    string   // the kubeconfig that was named; it must be there
	Paths   []string // without File: kubeconfigs, the first to say a thing wins; those that do not exist are passed over
	Context string
	Timeout time.Duration // of each request, 0: DefaultTimeout
	Agent   string        // the User-Agent, as in pkictl/v1.0.0
}

// Client calls one API server as one user. It has no rate limit of its own: the
// API server's priority and fairness keeps everyone's share.
type Client struct {
	// Context, Cluster, User and Namespace are the names in the kubeconfig.
	Context, Cluster, User, Namespace string

	config  *rest.Config
	proxy   string // proxy-url of the cluster
	rest    *rest.RESTClient
	timeout time.Duration
}

// Connect reads the kubeconfigs. It sends nothing yet. The errors name the file
// and what it lacks.
func Connect(o Options) (*Client, error) {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: o.File, Precedence: o.Paths}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.Context})
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, loadError(o)
	}
	return newClient(raw, o, loader)
}

// FromConfig is Connect for a kubeconfig that has been read, with the entries
// that o.Context needs. Its paths are absolute.
func FromConfig(raw api.Config, o Options) (*Client, error) {
	return newClient(raw, o, clientcmd.NewNonInteractiveClientConfig(raw, o.Context, &clientcmd.ConfigOverrides{}, nil))
}

func newClient(raw api.Config, o Options, loader clientcmd.ClientConfig) (*Client, error) {
	name, chosen, err := chooseContext(raw, o)
	if err != nil {
		return nil, err
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, loadError(o)
	}
	namespace := chosen.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	config.UserAgent = o.Agent
	prepare(config)
	c := &Client{
		Context: name, Cluster: chosen.Cluster, User: chosen.AuthInfo, Namespace: namespace,
		config: config, timeout: o.Timeout, proxy: raw.Clusters[chosen.Cluster].ProxyURL,
	}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	return c, c.dial()
}

// prepare sets what is the same for all clients.
func prepare(config *rest.Config) {
	config.QPS = -1
	config.WarningHandlerWithContext = rest.NoWarnings{}
	config.NegotiatedSerializer = codecs().WithoutConversion()
}

func (c *Client) dial() error {
	var err error
	if c.rest, err = rest.UnversionedRESTClientFor(c.config); err != nil {
		var notURL *url.Error
		if errors.As(err, &notURL) || strings.HasPrefix(err.Error(), "host must be") { // they quote it, with its password
			return failure.New(failure.Failed, checkHint, "the server of cluster %q of the kubeconfig is not a URL", c.Cluster)
		}
		return failure.Wrap(err, failure.Failed, "see what is wrong with: pkictl kubeconfig check",
			"cannot use context %q of the kubeconfig", c.Context)
	}
	return nil
}

// chooseContext returns the context that was asked for, or else the current one.
func chooseContext(raw api.Config, o Options) (string, *api.Context, error) {
	name := o.Context
	if name == "" {
		name = raw.CurrentContext
	}
	switch chosen := raw.Contexts[name]; {
	case len(raw.Clusters) == 0 && len(raw.Contexts) == 0:
		return "", nil, failure.New(failure.Failed, "name one with --kubeconfig FILE, or set KUBECONFIG",
			"there is no kubeconfig with a cluster in it: %s", o.names())
	case name == "":
		return "", nil, failure.New(failure.Usage, "name one with --context; see: kubectl config get-contexts",
			"the kubeconfig has no current context")
	case chosen == nil:
		return "", nil, failure.New(failure.Usage, "see: kubectl config get-contexts", "there is no context %q in the kubeconfig", name)
	case raw.Clusters[chosen.Cluster] == nil:
		return "", nil, failure.New(failure.Failed, "choose another with --context", "context %q names the cluster %q, which is not in the kubeconfig", name, chosen.Cluster)
	default:
		return name, chosen, nil
	}
}

// names returns the names of the kubeconfigs, for errors.
func (o Options) names() string {
	if o.File != "" {
		return strconv.Quote(o.File)
	}
	shown := make([]string, len(o.Paths))
	for i, path := range o.Paths {
		shown[i] = strconv.Quote(path)
	}
	return strings.Join(shown, ", ")
}

// Server returns the URL of the API server as the kubeconfig has it. What is
// printed of it goes through ShowURL.
func (c *Client) Server() string { return c.config.Host }

// ServerName returns the name that the API server's certificate is checked
// for, empty where that is the host of its URL.
func (c *Client) ServerName() string { return c.config.ServerName }

// ProxyURL returns the proxy that the kubeconfig names, empty where it names
// none. It may hold a password.
func (c *Client) ProxyURL() string { return c.proxy }

// Verified says whether the API server's certificate is checked at all.
func (c *Client) Verified() bool { return !c.config.Insecure }

// Plugin returns the command by which the user of the kubeconfig gets a
// credential, empty where there is none.
func (c *Client) Plugin() string {
	if c.config.ExecProvider == nil {
		return ""
	}
	return c.config.ExecProvider.Command
}

// CAPEM returns the certificates by which the API server is known, nil where
// the kubeconfig leaves that to the system.
func (c *Client) CAPEM() ([]byte, error) {
	config := rest.CopyConfig(c.config)
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, failure.Wrap(err, failure.Failed, "", "cannot read the CA of cluster %q", c.Cluster)
	}
	return config.CAData, nil
}

// WithCertificate returns a client of the same API server with another
// credential: a certificate and its key, in PEM.
func (c *Client) WithCertificate(certPEM, keyPEM []byte) (*Client, error) {
	other := *c
	other.config = rest.AnonymousClientConfig(c.config)
	prepare(other.config)
	other.config.CertData, other.config.KeyData = certPEM, keyPEM
	if block, _ := pem.Decode(certPEM); block == nil {
		return nil, failure.New(failure.Failed, "", "there is no certificate to log in with")
	}
	return &other, other.dial()
}

// As returns a client that impersonates a user: what is asked through it is
// answered as for them. The API server allows that to who may "impersonate".
func (c *Client) As(user string, groups ...string) (*Client, error) {
	other := *c
	other.config = rest.CopyConfig(c.config)
	other.config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	return &other, other.dial()
}

// Compact returns a client of the same API server and user that speaks protobuf
// in place of JSON, as the parts of Kubernetes do: for many requests, of which
// it takes less than half the time on both sides. It shares the connection.
func (c *Client) Compact() (*Client, error) {
	other := *c
	other.config = rest.CopyConfig(c.config)
	other.config.ContentType = runtime.ContentTypeProtobuf
	other.config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return &other, other.dial()
}

// The types that are sent and received. They are made when the first client is:
// most commands call no server.
var (
	scheme     = sync.OnceValue(newScheme)
	codecs     = sync.OnceValue(func() serializer.CodecFactory { return serializer.NewCodecFactory(scheme()) })
	parameters = sync.OnceValue(func() runtime.ParameterCodec { return runtime.NewParameterCodec(scheme()) })
	version1   = schema.GroupVersion{Version: "v1"}
)

func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		authenticationv1.AddToScheme, authorizationv1.AddToScheme, certificatesv1.AddToScheme, rbacv1.AddToScheme,
	} {
		if err := add(s); err != nil {
			panic(err) // two types of one name: a mistake in this file
		}
	}
	// Of the core group what is used: all of it costs time at every start.
	s.AddKnownTypes(version1, &corev1.Namespace{}, &corev1.NamespaceList{}, &corev1.ConfigMap{}, &corev1.Node{}, &corev1.Service{}, &corev1.Pod{}, &corev1.PodList{})
	metav1.AddToGroupVersion(s, version1)
	return s
}

// Get reads the object at path.
func (c *Client) Get(ctx context.Context, path string, into runtime.Object) error {
	return c.do(ctx, c.rest.Get().AbsPath(path), into)
}

// List reads the objects at path, a page of them where o.Limit is set.
func (c *Client) List(ctx context.Context, path string, o metav1.ListOptions, into runtime.Object) error {
	return c.do(ctx, c.rest.Get().AbsPath(path).SpecificallyVersionedParams(&o, parameters(), version1), into)
}

// Create sends an object to the list at path and reads what became of it.
func (c *Client) Create(ctx context.Context, path string, object, into runtime.Object) error {
	return c.do(ctx, c.rest.Post().AbsPath(path).Body(object), into)
}

// CreateDryRun is Create, but that the API server keeps nothing: it checks the
// object, and answers as it would.
func (c *Client) CreateDryRun(ctx context.Context, path string, object, into runtime.Object) error {
	o := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	return c.do(ctx, c.rest.Post().AbsPath(path).SpecificallyVersionedParams(&o, parameters(), version1).Body(object), into)
}

// Update replaces the object at path, or a subresource of it.
func (c *Client) Update(ctx context.Context, path string, object, into runtime.Object) error {
	return c.do(ctx, c.rest.Put().AbsPath(path).Body(object), into)
}

// UpdateDryRun is Update, but that the API server keeps nothing: it checks the
// object and the right to change it, and answers as it would.
func (c *Client) UpdateDryRun(ctx context.Context, path string, object, into runtime.Object) error {
	o := metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}}
	return c.do(ctx, c.rest.Put().AbsPath(path).SpecificallyVersionedParams(&o, parameters(), version1).Body(object), into)
}

// Patch changes the object at path by a JSON merge patch (RFC 7386).
func (c *Client) Patch(ctx context.Context, path string, patch []byte, into runtime.Object) error {
	return c.do(ctx, c.rest.Patch(types.MergePatchType).AbsPath(path).Body(patch), into)
}

// Delete deletes the object at path, if it is still the one with that UID;
// an empty one is any.
func (c *Client) Delete(ctx context.Context, path string, uid types.UID) error {
	return c.DeleteVersion(ctx, path, uid, "")
}

// DeleteVersion is Delete for an object that nobody has changed since it had
// that resource version; an empty one is any.
func (c *Client) DeleteVersion(ctx context.Context, path string, uid types.UID, version string) error {
	o := metav1.DeleteOptions{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"}}
	if uid != "" {
		o.Preconditions = metav1.NewUIDPreconditions(string(uid))
		if version != "" {
			o.Preconditions.ResourceVersion = &version
		}
	}
	return c.do(ctx, c.rest.Delete().AbsPath(path).Body(&o), nil)
}

// Watch follows the changes of the objects at path until ctx ends, the API
// server closes the connection, or it breaks. No timeout applies.
func (c *Client) Watch(ctx context.Context, path string, o metav1.ListOptions) (watch.Interface, error) {
	o.Watch = true
	w, err := c.rest.Get().AbsPath(path).SpecificallyVersionedParams(&o, parameters(), version1).Watch(ctx)
	return w, c.explain(ctx, err)
}

func (c *Client) do(ctx context.Context, request *rest.Request, into runtime.Object) error {
	timed, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	result := request.Do(timed)
	err := result.Error()
	if err == nil && into != nil {
		err = result.Into(into)
	}
	if err != nil && ctx.Err() == nil && timed.Err() != nil {
		return c.noAnswer()
	}
	return c.explain(ctx, err)
}
