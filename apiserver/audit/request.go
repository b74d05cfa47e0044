package audit

import (
	"net/http"
	"net/url"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/pkictl/pkictl/internal/failure"
)

// Request is what a policy sees of a request to the API server. User and Groups
// are those who authenticated: whom they impersonate comes later
// (k8s.io/apiserver/pkg/server/config.go, DefaultBuildHandlerChain).
type Request struct {
	User   string   `json:"user,omitempty"`
	Groups []string `json:"groups,omitempty"`
	// Verb is get, list, watch, create, update, patch, delete, deletecollection or
	// connect's get or create, and for a path that is no resource the HTTP method
	// in lower case.
	Verb string `json:"verb"`
	Path string `json:"path,omitempty"` // without the query

	// IsResource says that the rest counts.
	IsResource  bool   `json:"isResource"`
	Group       string `json:"group,omitempty"` // "" is the core group
	Version     string `json:"version,omitempty"`
	Resource    string `json:"resource,omitempty"`
	Subresource string `json:"subresource,omitempty"`
	Namespace   string `json:"namespace,omitempty"`
	Name        string `json:"name,omitempty"`
}

// requestInfo reads paths as kube-apiserver does
// (k8s.io/apiserver/pkg/server/config.go, NewRequestInfoResolver).
var requestInfo = sync.OnceValue(func() *request.RequestInfoFactory {
	return &request.RequestInfoFactory{APIPrefixes: sets.NewString("apis", "api"), GrouplessAPIPrefixes: sets.NewString("api")}
})

// ParseRequest reads a request off its HTTP method and its URL, as kubectl -v=8
// shows them; the scheme and host may be left out. The user is not known from it.
func ParseRequest(method, text string) (Request, error) {
	at, err := url.Parse(text)
	if err != nil || !strings.HasPrefix(at.Path, "/") {
		return Request{}, failure.New(failure.Usage, "write it like /api/v1/namespaces/default/pods, or as kubectl -v=8 shows it",
			"%q is no URL of a request", text)
	}
	info, err := requestInfo().NewRequestInfo(&http.Request{Method: strings.ToUpper(method), URL: at})
	if err != nil {
		return Request{}, failure.Wrap(err, failure.Usage, "write it as kubectl -v=8 shows it", "%q is no URL of a request", text)
	}
	return Request{
		Verb: info.Verb, Path: info.Path, IsResource: info.IsResourceRequest,
		Group: info.APIGroup, Version: info.APIVersion, Resource: info.Resource, Subresource: info.Subresource,
		Namespace: info.Namespace, Name: info.Name,
	}, nil
}

// attributes gives a request to the evaluator, which wants them in this form.
func (r *Request) attributes() authorizer.Attributes {
	return authorizer.AttributesRecord{
		User: &user.DefaultInfo{Name: r.User, Groups: r.Groups},
		Verb: r.Verb, Path: r.Path, ResourceRequest: r.IsResource,
		APIGroup: r.Group, APIVersion: r.Version, Resource: r.Resource, Subresource: r.Subresource,
		Namespace: r.Namespace, Name: r.Name,
	}
}
