package audit

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	internal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/audit"
)

var requestSeeds = []string{
	"GET /api/v1/namespaces/default/pods/web", "GET /api/v1/pods", "GET /api/v1/pods?watch=true&fieldSelector=metadata.name%3Dweb",
	"GET /api/v1/namespaces/default/pods?fieldSelector=metadata.name=web", "GET /api/v1/pods?limit=x", "GET /api/v1/watch/namespaces/default/pods/web",
	"GET /api/v1/watch", "GET /api/v1/proxy/namespaces/default/services/web/x/y", "POST /api/v1/namespaces/default/pods",
	"POST /api/v1/namespaces/default/pods/web/eviction", "PUT /apis/apps/v1/namespaces/default/deployments/web/scale", "PATCH /api/v1/nodes/n1/status",
	"DELETE /api/v1/namespaces/default/pods", "DELETE /api/v1/namespaces/default", "PUT /api/v1/namespaces/default/finalize", "HEAD /api/v1/pods",
	"OPTIONS /api/v1/pods", "GET /healthz", "GET /", "GET /apis", "GET /apis/apps/v1", "GET /api/v1/", "GET //api/v1/pods", "GET /api//v1/pods",
	"GET /api/v1//x", "GET /api/v1/namespaces/%64efault/pods/a%2Fb", "GET /a%zz", "GET /apis/apps/v1/x?watch=1&watch=0", "POST /metrics", "GET /api/v1/namespaces",
}

// FuzzRequestOfEvent holds the request that is read from an event against the one
// that the policy decided about: kube-apiserver's own reading of method and URL.
func FuzzRequestOfEvent(f *testing.F) {
	for _, seed := range requestSeeds {
		method, uri, _ := strings.Cut(seed, " ")
		f.Add(method, uri, "added")
	}
	f.Fuzz(func(t *testing.T, method, uri, addedName string) {
		at, err := url.ParseRequestURI(uri) // as net/http does
		if err != nil || !strings.HasPrefix(uri, "/") {
			return
		}
		info, err := requestInfo().NewRequestInfo(&http.Request{Method: strings.ToUpper(method), URL: at})
		if err != nil {
			return // answered before it is logged
		}
		want := Request{
			Verb: info.Verb, Path: info.Path, IsResource: info.IsResourceRequest, Group: info.APIGroup, Version: info.APIVersion,
			Resource: info.Resource, Subresource: info.Subresource, Namespace: info.Namespace, Name: info.Name,
		}
		// LogRequestObject adds what it knows from an object.
		name := info.Name
		switch info.Verb {
		case "create", "update", "patch", "delete", "deletecollection":
			if name == "" {
				name = addedName
			}
		}
		got := Request{Verb: info.Verb}
		got.locate(at.RequestURI(), name)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s %s: %+v, want %+v", method, uri, got, want)
		}
	})
}

func eventsOf(line string) (events []event, reason string) {
	reason = eachEvent(line, func(e *event) { events = append(events, *e) })
	return events, reason
}

// eventSeed has every field.
const eventSeed = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"1","stage":"ResponseComplete",` +
	`"requestURI":"/api/v1/namespaces/default/configmaps?a=b","verb":"create","user":{"username":"jane \u003c","groups":["devs"]},` +
	`"impersonatedUser":{"username":"joe"},"sourceIPs":["::1"],"userAgent":"kubectl","objectRef":{"resource":"configmaps","namespace":"default","name":"x","apiVersion":"v1"},` +
	`"responseStatus":{"metadata":{},"code":201},"requestObject":{"kind":"ConfigMap"},"responseObject":{"kind":"ConfigMap","metadata":{"managedFields":[{}],"name":"x"}},` +
	`"requestReceivedTimestamp":"2026-01-02T15:04:05.000000Z","stageTimestamp":"2026-01-02T15:04:05.100000Z","annotations":{"a":"b"}}`

// FuzzEventLine holds what is read of a line against encoding/json and the API's
// own type.
func FuzzEventLine(f *testing.F) {
	f.Add(eventSeed)
	f.Add(eventSeed[:300])
	f.Add(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[` + eventSeed + `,{},1]}`)
	for _, seed := range []string{"", "{", "{}", "[]", "null", `{"kind":"Event"}`, `{"a":1e999}`, `{"a":"\ud800"}`, "{\"a\":\"\x01\"}", `{"kind":{"a":1},"level":[1]}`, `x AUDIT: id="`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		events, reason := eventsOf(line)
		if valid := json.Valid([]byte(line)); !valid && (len(events) > 0 || reason == "") {
			t.Errorf("%d events of what is no JSON: %q", len(events), line)
		}
		if len(events) != 1 || !strings.HasPrefix(line, `{"kind":"Event","apiVersion":"audit.k8s.io/v1",`) {
			return
		}
		var want auditv1.Event
		if json.Unmarshal([]byte(line), &want) != nil || strings.Contains(line, "null") {
			return // of another type somewhere
		}
		e := events[0]
		if hasRepeated(line) {
			return
		}
		if string(e.level) != string(want.Level) || string(e.stage) != string(want.Stage) || e.request.Verb != want.Verb ||
			strings.ToValidUTF8(e.request.User, "") != strings.ToValidUTF8(want.User.Username, "") || len(e.request.Groups) != len(want.User.Groups) {
			t.Errorf("%+v of %s", e, line)
		}
	})
}

// hasRepeated says that a key comes twice in the event, or in another case, which
// encoding/json takes and kube-apiserver never writes.
func hasRepeated(line string) bool {
	for _, key := range []string{"level", "stage", "verb", "user", "username", "groups"} {
		if strings.Count(strings.ToLower(line), `"`+key+`"`) != 1 {
			return true
		}
	}
	return strings.Contains(line, `\u`)
}

// TestEventSizes compares the size at each level with what kube-apiserver's own
// encoder writes of the event at that level.
func TestEventSizes(t *testing.T) {
	t.Parallel()
	write := func(e *internal.Event) string {
		data, err := runtime.Encode(audit.Codecs.LegacyCodec(auditv1.SchemeGroupVersion), e)
		if err != nil {
			t.Fatal(err)
		}
		return string(data) // with the line end
	}
	var full internal.Event
	if err := runtime.DecodeInto(audit.Codecs.UniversalDecoder(), []byte(eventSeed), &full); err != nil {
		t.Fatal(err)
	}
	if line := write(&full); line != eventSeed+"\n" {
		t.Fatalf("not as it is written:\n%s", line)
	}
	at := map[internal.Level]internal.Event{internal.LevelRequestResponse: full, internal.LevelRequest: full, internal.LevelMetadata: full}
	for level, e := range at {
		e.Level = level
		if level.Less(internal.LevelRequestResponse) {
			e.ResponseObject = nil
		}
		if level.Less(internal.LevelRequest) {
			e.RequestObject = nil
		}
		at[level] = e
	}
	for level, e := range at {
		events, reason := eventsOf(strings.TrimSuffix(write(&e), "\n"))
		if reason != "" {
			t.Fatal(reason)
		}
		for other, e := range at {
			size, incomplete := events[0].sizeAt(&Decision{Level: other})
			if less := level.Less(other); incomplete != less || !less && size != int64(len(write(&e))) {
				t.Errorf("from %s to %s: %d bytes (incomplete: %v), want %d", level, other, size, incomplete, len(write(&e)))
			}
		}
	}
}
