package audit

import (
	"net/http"
	"net/url"
	"slices"
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
// (k8s.io/apiserver/pkg/server/config.go, DefaultBuildHandlerChain). Both are
// empty where nobody did, or where it is not known.
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
	method = strings.ToUpper(method)
	if !isMethod(method) {
		return Request{}, failure.New(failure.Usage, "they are GET, POST, PUT, PATCH, DELETE, HEAD and OPTIONS", "%q is no HTTP method", method)
	}
	at, err := url.ParseRequestURI(text) // as net/http reads it from a request
	if err == nil && at.Host != "" && at.Path == "" {
		at.Path = "/"
	}
	if err != nil || !strings.HasPrefix(at.Path, "/") {
		return Request{}, failure.New(failure.Usage, "write it like /api/v1/namespaces/default/pods, or as kubectl -v=8 shows it",
			"%q is no URL of a request", text)
	}
	info, err := requestInfo().NewRequestInfo(&http.Request{Method: method, URL: at})
	if err != nil {
		return Request{}, failure.Wrap(err, failure.Usage, "write it as kubectl -v=8 shows it", "%q is no URL of a request", text)
	}
	return Request{
		Verb: info.Verb, Path: info.Path, IsResource: info.IsResourceRequest,
		Group: info.APIGroup, Version: info.APIVersion, Resource: info.Resource, Subresource: info.Subresource,
		Namespace: info.Namespace, Name: info.Name,
	}, nil
}

func isMethod(text string) bool {
	return slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}, text)
}

// ParseRequestLine finds method and URL in a line that kubectl wrote with -v=6 or
// more, of today (verb="GET" url="https://...", or a curl command) and of former
// versions (GET https://...), or in such words alone. The method is empty where
// there is a URL only.
func ParseRequestLine(line string) (method, url string, err error) {
	words := strings.Fields(line)
	for _, word := range words {
		for _, prefix := range []string{"verb=", "url=", "-X"} {
			word = strings.TrimPrefix(word, prefix)
		}
		word = strings.Trim(word, `"'`)
		switch {
		case method == "" && isMethod(word):
			method = word
		case url == "" && (strings.HasPrefix(word, "/") || strings.HasPrefix(word, "https://") || strings.HasPrefix(word, "http://")):
			url = word
		}
	}
	if url == "" {
		return "", "", failure.New(failure.Usage, "write it like: GET /api/v1/namespaces/default/pods, or as kubectl -v=8 shows it",
			"there is no URL in %q", line)
	}
	if method == "" && len(words) == 2 && words[1] == url {
		method = words[0] // written as one, though it is none: see ParseRequest
	}
	return method, url, nil
}

// attributes gives a request to the evaluator, which wants them in this form.
func (r *Request) attributes() authorizer.Attributes {
	var who user.Info // nil where nobody authenticated
	if r.User != "" || len(r.Groups) > 0 {
		who = &user.DefaultInfo{Name: r.User, Groups: r.Groups}
	}
	return authorizer.AttributesRecord{
		User: who,
		Verb: r.Verb, Path: r.Path, ResourceRequest: r.IsResource,
		APIGroup: r.Group, APIVersion: r.Version, Resource: r.Resource, Subresource: r.Subresource,
		Namespace: r.Namespace, Name: r.Name,
	}
}
