package audit

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"
	internal "k8s.io/apiserver/pkg/apis/audit"
)

// Reasons why a line, or a part of it, is not counted as an event.
const (
	ReasonBroken   = "broken or cut JSON"
	ReasonForeign  = "not JSON"
	ReasonLegacy   = "an event in the format legacy, which says neither level nor resource"
	ReasonOther    = "JSON, but no event of audit.k8s.io/v1"
	ReasonNoFields = "an event without a known level and stage, or without requestURI or verb"
	ReasonTooLong  = "longer than 16 MiB"
	ReasonNUL      = "NUL bytes, which a crash or a truncated log leaves; what follows them was read"
	ReasonDamaged  = "the compressed file is damaged, and its rest lost"
)

// event is what is needed of one.
type event struct {
	request   Request
	level     internal.Level
	stage     internal.Stage
	time      string // of the stage, as it is written, or ""
	truncated bool   // by --audit-log-truncate-enabled
	refused   bool   // with a status of 400 or above
	hasVerb   bool

	bytes                         int64 // of its line with the line end
	requestObject, responseObject string
}

// What an object adds to an event besides itself: its key, a colon, a comma.
const (
	requestObjectKey  = int64(len(`"requestObject":,`))
	responseObjectKey = int64(len(`"responseObject":,`))
	managedFieldsKey  = int64(len(`"managedFields":,`))
)

// eachEvent calls found with the event in a line without its end, or with those
// of a list, which webhooks are sent. It returns the reason why one is none.
func eachEvent(line string, found func(*event)) (reason string) {
	if !gjson.Valid(line) {
		return invalidLine(line)
	}
	var e event
	reason = e.read(gjson.Parse(line))
	if reason == ReasonOther && strings.Contains(line, "EventList") {
		return eachListed(gjson.Parse(line), found)
	}
	if reason == "" {
		found(&e)
	}
	return reason
}

func eachListed(list gjson.Result, found func(*event)) (reason string) {
	if list.Get("kind").Str != "EventList" || list.Get("apiVersion").Str != APIVersion {
		return ReasonOther
	}
	list.Get("items").ForEach(func(_, item gjson.Result) bool {
		// Within a list they may be without kind and version, which are the list's.
		var e event
		if why := e.read(item); why == "" || why == ReasonOther && e.isComplete() {
			found(&e)
		} else {
			reason = why
		}
		return true
	})
	return reason
}

func invalidLine(line string) string {
	switch {
	case strings.HasPrefix(line, "{"):
		return ReasonBroken
	case strings.Contains(line, ` AUDIT: id="`): // k8s.io/apiserver/pkg/audit, EventString
		return ReasonLegacy
	}
	return ReasonForeign
}

// read reads an event, or says why it is none.
func (e *event) read(parsed gjson.Result) (reason string) {
	e.bytes = int64(len(parsed.Raw)) + 1
	var apiVersion, kind, uri, received, name string
	parsed.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "apiVersion":
			apiVersion = value.Str
		case "kind":
			kind = value.Str
		case "level":
			e.level = internal.Level(value.Str)
		case "stage":
			e.stage = internal.Stage(value.Str)
		case "requestURI":
			uri = value.Str
		case "verb":
			e.request.Verb, e.hasVerb = value.Str, value.Type == gjson.String
		case "user":
			e.request.User, e.request.Groups = userOf(value)
		case "objectRef":
			name = value.Get("name").Str
		case "responseStatus":
			e.refused = value.Get("code").Int() >= http.StatusBadRequest
		case "requestObject":
			e.requestObject = value.Raw
		case "responseObject":
			e.responseObject = value.Raw
		case "requestReceivedTimestamp":
			received = value.Str
		case "stageTimestamp":
			e.time = value.Str
		case "annotations":
			e.truncated = strings.Contains(value.Raw, `"audit.k8s.io/truncated"`)
		}
		return true
	})
	if !isTime(e.time) {
		if e.time = received; !isTime(received) {
			e.time = ""
		}
	}
	if uri != "" {
		e.request.locate(uri, name)
	}
	switch {
	case apiVersion != APIVersion || kind != "Event":
		return ReasonOther
	case !e.isComplete():
		return ReasonNoFields
	}
	return ""
}

// isComplete says that the event has what every event has.
func (e *event) isComplete() bool {
	return levelIndex(e.level) >= 1 && stageIndex(e.stage) >= 0 && e.request.Path != "" && e.hasVerb
}

func userOf(value gjson.Result) (name string, groups []string) {
	value.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "username":
			name = value.Str
		case "groups":
			groups = nil
			value.ForEach(func(_, group gjson.Result) bool {
				groups = append(groups, group.Str)
				return true
			})
		}
		return true
	})
	return name, groups
}

// locate fills in what a request is about from the requestURI of its event and
// the name in its objectRef. The path decides: of an object that is created,
// kube-apiserver adds name and namespace to objectRef, after the policy has
// decided (k8s.io/apiserver/pkg/audit/request.go, LogRequestObject). The verb,
// which is known, already tells what ParseRequest finds in the query, but for the
// name in a field selector.
func (r *Request) locate(uri, name string) {
	path, _, _ := strings.Cut(uri, "?")
	if strings.Contains(path, "%") {
		if plain, err := url.PathUnescape(path); err == nil {
			path = plain
		}
	}
	// With POST the query is not looked at.
	info, err := requestInfo().NewRequestInfo(&http.Request{Method: http.MethodPost, URL: &url.URL{Path: path}})
	r.Path = path
	if err != nil { // /api/v1/watch: kube-apiserver answers with an error, and logs nothing
		return
	}
	r.IsResource, r.Group, r.Version = info.IsResourceRequest, info.APIGroup, info.APIVersion
	r.Resource, r.Subresource, r.Namespace, r.Name = info.Resource, info.Subresource, info.Namespace, info.Name
	if r.Name == "" && (r.Verb == "list" || r.Verb == "watch") {
		r.Name = name
	}
}

// isTime says whether text is a time as events have it, so that its first ten
// bytes are a day and two of them compare as text.
func isTime(text string) bool {
	const shape = "2006-01-02T15:04:05"
	if len(text) <= len(shape) || text[len(text)-1] != 'Z' {
		return false
	}
	for i := range len(shape) {
		isDigit := text[i] >= '0' && text[i] <= '9'
		if wanted := shape[i]; isDigit != (wanted >= '0' && wanted <= '9') || !isDigit && text[i] != wanted {
			return false
		}
	}
	return true
}

// sizeAt returns how many bytes the event takes as a policy decides, and whether
// it may be more, for the bodies that the policy wants were not logged.
func (e *event) sizeAt(d *Decision) (size int64, incomplete bool) {
	size = e.bytes + int64(len(d.Level)) - int64(len(e.level))
	withRequest, withResponse := d.Level.GreaterOrEqual(internal.LevelRequest), d.Level.GreaterOrEqual(internal.LevelRequestResponse)
	if e.requestObject != "" && !withRequest {
		size -= int64(len(e.requestObject)) + requestObjectKey
	}
	if e.responseObject != "" && !withResponse {
		size -= int64(len(e.responseObject)) + responseObjectKey
	}
	if d.OmitManagedFields {
		if withRequest && e.request.Verb != "patch" { // a patch is logged as it is
			size -= managedFields(e.requestObject)
		}
		if withResponse {
			size -= managedFields(e.responseObject)
		}
	}
	incomplete = withRequest && e.lacksRequest() || withResponse && e.lacksResponse()
	return size, incomplete
}

// lacksRequest says that a request's object, if it had one, was not logged.
// Objects come with these verbs alone, once they have been read
// (k8s.io/apiserver/pkg/endpoints/handlers, callers of LogRequestObject).
func (e *event) lacksRequest() bool {
	if e.level.GreaterOrEqual(internal.LevelRequest) || !e.isOver() {
		return false
	}
	switch e.request.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return e.request.IsResource
	}
	return false
}

// lacksResponse says that the object that was returned, if one was, was not
// logged. A watch returns one only to say why it was refused.
func (e *event) lacksResponse() bool {
	return !e.level.GreaterOrEqual(internal.LevelRequestResponse) && e.stage != internal.StageRequestReceived &&
		(e.request.Verb != "watch" || e.refused)
}

func (e *event) isOver() bool {
	return e.stage == internal.StageResponseComplete || e.stage == internal.StagePanic
}

// managedFields returns how many bytes the managed fields take in an object, or
// in the objects of a list or a table (copyWithoutManagedFields, in
// k8s.io/apiserver/pkg/audit/request.go).
func managedFields(object string) int64 {
	if !strings.Contains(object, `"managedFields"`) {
		return 0
	}
	of := func(object gjson.Result) int64 {
		if fields := object.Get("metadata.managedFields"); fields.Exists() {
			return int64(len(fields.Raw)) + managedFieldsKey
		}
		return 0
	}
	parsed := gjson.Parse(object)
	total := of(parsed)
	parsed.Get("items").ForEach(func(_, item gjson.Result) bool {
		total += of(item)
		return true
	})
	parsed.Get("rows").ForEach(func(_, row gjson.Result) bool {
		total += of(row.Get("object"))
		return true
	})
	return total
}
