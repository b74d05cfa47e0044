package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/internal/kubeclient"
)

// readObjectCheck reads the parameters of a check of an object in the lab's cluster,
// as its API server has it, defaults included:
//
//	apiVersion  the object's
//	resource    what its API calls it: deployments, validatingwebhookconfigurations
//	namespace   the object's, left out where it is in none
//	name        the object's; without it one is wanted that meets all conditions
//	absent      true: there is to be none of that name
//	fields      conditions on its fields, see objectFields
func readObjectCheck(p *params) (grader, error) {
	var o liveObject
	var conditions []condition[object]
	absent := false
	err := p.fields(
		p.text("apiVersion", &o.apiVersion),
		p.text("resource", &o.resource),
		p.text("namespace", &o.namespace),
		p.text("name", &o.name),
		p.onlyTrue("absent", &absent),
		p.objectFields(&conditions),
	)
	if err == nil {
		err = p.needsCluster()
	}
	switch {
	case err != nil:
		return nil, err
	case o.apiVersion == "" || o.resource == "":
		return nil, p.ErrorAt(p.node, "write both, as in apiVersion: apps/v1, resource: deployments", "%s lacks apiVersion or resource", p.what)
	case !o.isPlain():
		return nil, p.ErrorAt(p.node, "write plain names, as in resource: pods, name: web", "%s has a name that is none", p.what)
	case absent && (o.name == "" || len(conditions) > 0):
		return nil, p.ErrorAt(p.node, "write absent: true with a name, and without fields", "%s asks for the absence of nothing", p.what)
	}
	return func(ctx context.Context, w *work) finding {
		admin, found := w.cluster(ctx)
		switch {
		case found != "":
			return finding{wanted: o.String(), found: found}
		case absent:
			return o.judgeAbsent(ctx, admin)
		case o.name == "":
			return o.judgeAny(ctx, w, admin, conditions)
		}
		return o.judgeOne(ctx, w, admin, conditions)
	}, nil
}

// needsCluster is the error of a check that asks a cluster, in a lab that has none.
func (p *params) needsCluster() error {
	if !p.lab.HasCluster() {
		return p.ErrorAt(p.node, "write needs: ["+NeedsCluster+"]", "%s asks a cluster, and the lab needs none", p.what)
	}
	return nil
}

// liveObject names an object of the API server, or the list of all.
type liveObject struct{ apiVersion, resource, namespace, name string }

func (o liveObject) String() string {
	text := o.resource
	if o.name != "" {
		text += " " + o.name
	}
	if o.namespace != "" {
		text += " in namespace " + o.namespace
	}
	return text
}

// isPlain says whether its names are no paths: at services/NAME/proxy an API server
// passes a request on to whomever the Service names.
func (o liveObject) isPlain() bool {
	group, version, _ := strings.Cut(o.apiVersion, "/")
	return !slices.ContainsFunc([]string{group, version, o.resource, o.namespace, o.name}, func(name string) bool {
		return strings.ContainsAny(name, "/?#%") || name == ".."
	})
}

// path returns that of the object, or of the list.
func (o liveObject) path() string {
	base := "/apis/" + o.apiVersion
	if !strings.Contains(o.apiVersion, "/") {
		base = "/api/" + o.apiVersion
	}
	if o.namespace != "" {
		base += "/namespaces/" + o.namespace
	}
	return path.Join(base, o.resource, o.name)
}

func (o liveObject) judgeAbsent(ctx context.Context, admin *kubeclient.Client) finding {
	wanted := "no " + o.String()
	switch code, err := admin.Status(ctx, o.path()); {
	case err != nil:
		return finding{wanted: wanted, found: err.Error()}
	case code == http.StatusNotFound:
		return finding{true, wanted, "as wanted"}
	default:
		return finding{wanted: wanted, found: "it is there"}
	}
}

func (o liveObject) judgeOne(ctx context.Context, w *work, admin *kubeclient.Client, conditions []condition[object]) finding {
	data, err := admin.GetJSON(ctx, o.path())
	switch {
	case apierrors.IsNotFound(err):
		return finding{wanted: o.String(), found: "there is none in the cluster"}
	case err != nil:
		return finding{wanted: o.String(), found: err.Error()}
	}
	v, err := decodeJSON(data)
	it, ok := v.(object)
	if err != nil || !ok {
		return finding{wanted: o.String(), found: "the API server answered with no object"}
	}
	f := judge(it, w, conditions)
	f.wanted = strings.TrimSuffix(o.String()+": "+f.wanted, ": ")
	return f
}

// judgeAny asks for one object among all that meets the conditions. Of those that do
// not, the first is said.
func (o liveObject) judgeAny(ctx context.Context, w *work, admin *kubeclient.Client, conditions []condition[object]) finding {
	data, err := admin.GetJSON(ctx, o.path())
	var all struct {
		Items []json.RawMessage `json:"items"`
	}
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		return finding{wanted: "one of " + o.String(), found: err.Error()}
	}
	f := finding{wanted: "one of " + o.String(), found: "there is none in the cluster"}
	for i, item := range all.Items {
		v, err := decodeJSON(item)
		it, ok := v.(object)
		if err != nil || !ok {
			continue
		}
		one := judge(it, w, conditions)
		one.wanted = strings.TrimSuffix("one of "+o.String()+": "+one.wanted, ": ")
		if one.passed {
			return one
		}
		if i == 0 {
			f = one
			f.found = fmt.Sprintf("%s: %s", nameOf(it), one.found)
		}
	}
	return f
}

// nameOf is metadata.name.
func nameOf(it object) string {
	metadata, _ := it["metadata"].(object)
	name, _ := metadata["name"].(string)
	return name
}
