package main_test

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	internal "k8s.io/apiserver/pkg/apis/audit"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/cluster"
)

// auditEvent is what the tests read of an event (k8s.io/apiserver/pkg/apis/audit/v1).
type auditEvent struct {
	AuditID    string
	Stage      internal.Stage
	Level      internal.Level
	Verb       string
	RequestURI string
	User       struct {
		Username string
		Groups   []string
	}
	ObjectRef *struct {
		APIGroup, APIVersion, Resource, Subresource, Namespace, Name string
	}
	RequestObject, ResponseObject json.RawMessage
	ResponseStatus                struct{ Code int }
}

// sentRequest is a request that a test has sent, and its answer.
type sentRequest struct {
	audit.Request
	id, line     string // the Audit-ID; method and URL
	body         bool   // it sent an object
	status       int
	unauthorized bool // nobody knows who it was
	unread       bool // neither the API server nor ParseRequest knows what it is for
}

// auditUser is somebody who sends requests.
type auditUser struct {
	name   string
	groups []string
	token  string
	client *http.Client
	failed bool // to authenticate
}

// auditedServer is a real kube-apiserver with an audit policy.
type auditedServer struct {
	userDir
	cp        *cluster.ControlPlane
	policy    *audit.Policy
	evaluator *audit.Evaluator
	log       string // path
	transport func(user string) *http.Transport
	users     map[string]*auditUser
	sent      []sentRequest
	secrets   []string // that must be in no event
	quoted    string   // a secret that the API server quotes in an error
}

// startAudited starts etcd and a kube-apiserver on the files in pki, with a policy.
func (w userDir) startAudited(name string, policy []byte) *auditedServer {
	w.t.Helper()
	assets, _ := peers(w.t)
	run := filepath.Join(w.dir, name)
	ok(w.t, os.MkdirAll(run, 0o700))
	file, log := filepath.Join(run, "policy.yaml"), filepath.Join(run, "audit.log")
	ok(w.t, os.WriteFile(file, policy, 0o600))
	parsed, err := audit.Parse(file, policy)
	ok(w.t, err)
	cp, err := cluster.Start(w.t.Context(), cluster.Config{
		PKI: filepath.Join(w.dir, "pki"), Dir: run, Assets: assets, UnsafeNoFsync: true,
		ExtraArgs: map[string][]string{cluster.ComponentAPIServer: {
			"--audit-policy-file=" + file, "--audit-log-path=" + log,
			"--disable-admission-plugins=ServiceAccount", // no controller makes the account of a pod
			"--shutdown-delay-duration=0s",
		}},
	})
	ok(w.t, err)
	s := &auditedServer{userDir: w, cp: cp, policy: parsed, evaluator: parsed.Evaluator(), log: log, users: map[string]*auditUser{}}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.read("pki/ca.crt"))
	s.transport = func(user string) *http.Transport {
		config := &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}} // of HTTP/2 no connection is hijacked
		if user != "" {
			cert, err := tls.X509KeyPair(w.read("pki/"+user+".crt"), w.read("pki/"+user+".key"))
			ok(w.t, err)
			config.Certificates = []tls.Certificate{cert}
		}
		return &http.Transport{TLSClientConfig: config}
	}
	return s
}

func (w userDir) read(path string) []byte {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, path))
	ok(w.t, err)
	return data
}

// addUser adds somebody with the certificate of a file in pki, or none.
func (s *auditedServer) addUser(name, file string, u auditUser) {
	u.client = &http.Client{Transport: s.transport(file), Timeout: 30 * time.Second}
	s.users[name] = &u
}

// send sends a request, with a body if there is one, and returns the answer. That
// of a watch is not waited for.
func (s *auditedServer) send(user, method, url, body string, headers ...string) []byte {
	s.t.Helper()
	u := s.users[user]
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.cp.URL()+url, strings.NewReader(body))
	ok(s.t, err)
	id := fmt.Sprintf("test-%04d", len(s.sent))
	request.Header.Set("Audit-ID", id)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	if u.token != "" {
		request.Header.Set("Authorization", "Bearer "+u.token)
	}
	response, err := u.client.Do(request)
	ok(s.t, err)
	defer response.Body.Close()
	if got := response.Header.Get("Audit-ID"); got != id {
		s.t.Errorf("%s %s as %s has the Audit-ID %q, want %q", method, url, user, got, id)
	}
	var answer []byte
	if response.StatusCode >= 300 || !strings.Contains(url, "watch") {
		answer, err = io.ReadAll(response.Body)
		ok(s.t, err)
	}
	s.note(user, method, url, id, body != "", response.StatusCode)
	return answer
}

// note remembers a request that was sent.
func (s *auditedServer) note(user, method, url, id string, body bool, status int) {
	s.t.Helper()
	u := s.users[user]
	parsed, err := audit.ParseRequest(method, url)
	if (err != nil) != (status == http.StatusInternalServerError && strings.HasSuffix(url, "/watch")) {
		s.t.Errorf("%s %s is answered with %d, and read with: %v", method, url, status, err)
	}
	parsed.User, parsed.Groups = u.name, u.groups
	s.sent = append(s.sent, sentRequest{
		Request: parsed, id: id, line: method + " " + url + " as " + user, body: body, status: status, unauthorized: u.failed, unread: err != nil,
	})
}

// sendKubectl runs kubectl and notes the requests that it says it has sent.
func (s *auditedServer) sendKubectl(user, input string, args ...string) {
	s.t.Helper()
	_, kubectl := peers(s.t)
	args = append([]string{"--server", s.cp.URL(), "--certificate-authority", "pki/ca.crt", "-v=8",
		"--client-certificate", "pki/" + user + ".crt", "--client-key", "pki/" + user + ".key"}, args...)
	if input != "" {
		file := filepath.Join(s.dir, fmt.Sprintf("kubectl-%d.yaml", len(s.sent)))
		ok(s.t, os.WriteFile(file, []byte(input), 0o600))
		args = append(args, "-f", file)
	}
	before := len(s.sent)
	_, stderr, _ := s.try(kubectl, args...) // a refusal is an answer too
	var method, url string
	status := 0
	for line := range strings.Lines(stderr) {
		if _, rest, found := strings.Cut(line, `"Request" `); found {
			if method != "" {
				s.t.Fatalf("kubectl %v sends two requests at once", args)
			}
			_, err := fmt.Sscanf(rest, "verb=%q url=%q", &method, &url)
			ok(s.t, err)
		}
		if _, rest, found := strings.Cut(line, `"Response" status="`); found {
			if _, err := fmt.Sscan(rest[:3], &status); err != nil {
				method = "" // of a WebSocket it does not say it
			}
		}
		if id, found := strings.CutPrefix(strings.TrimSpace(line), "Audit-Id: "); found {
			path := strings.TrimPrefix(url, s.cp.URL())
			if r, err := audit.ParseRequest(method, path); err == nil && r.IsResource { // what else it reads may be from its cache
				s.note(user, method, path, id, method == "POST" || method == "PUT" || method == "PATCH", status)
			}
			method = ""
		}
	}
	if len(s.sent) == before {
		s.t.Errorf("kubectl %v has sent nothing:\n%s", args, stderr)
	}
}

// isLongRunning says whether there is an event when the answer begins
// (k8s.io/kubernetes/pkg/controlplane/apiserver/config.go, LongRunningFunc).
func isLongRunning(r *audit.Request) bool {
	return r.Verb == "watch" || r.Verb == "proxy" || strings.HasPrefix(r.Path, "/debug/pprof/") && !r.IsResource ||
		slices.Contains([]string{"attach", "exec", "proxy", "log", "portforward"}, r.Subresource)
}

// stages returns those of which the policy wants an event of a request.
func (r *sentRequest) stages(d *audit.Decision) []string {
	possible := []internal.Stage{internal.StageRequestReceived, internal.StageResponseStarted, internal.StageResponseComplete}
	if !isLongRunning(&r.Request) {
		possible = slices.Delete(possible, 1, 2)
	}
	if r.unread { // k8s.io/apiserver/pkg/server/config.go: WithRequestInfo comes before WithAudit
		return nil
	}
	if r.unauthorized { // k8s.io/apiserver/pkg/endpoints/filters/authn_audit.go
		possible = []internal.Stage{internal.StageResponseStarted}
	}
	var stages []string
	for _, stage := range possible {
		if d.Keeps(stage) {
			stages = append(stages, string(stage))
		}
	}
	return stages
}

// stop stops the API server, so that all is written, and returns the events by
// their Audit-ID.
func (s *auditedServer) stop() map[string][]auditEvent {
	s.t.Helper()
	ok(s.t, s.cp.Stop())
	data, err := os.ReadFile(s.log)
	ok(s.t, err)
	for _, secret := range s.secrets {
		if line := lineWith(data, secret); line != "" {
			s.t.Errorf("a secret is in the log: %s", line)
		}
	}
	// The one known way for a value into the log at Metadata: whatever the policy,
	// what the API server says of a malformed apply quotes it.
	for line := range bytes.Lines(data) {
		if bytes.Contains(line, []byte(s.quoted)) && !bytes.Contains(line, []byte(`"message":"failed to create typed patch object`)) {
			s.t.Errorf("a secret is in the log: %s", line)
		}
	}
	events := map[string][]auditEvent{}
	for line := range bytes.Lines(data) {
		var event auditEvent
		ok(s.t, json.Unmarshal(line, &event))
		events[event.AuditID] = append(events[event.AuditID], event)
	}
	return events
}

func lineWith(data []byte, part string) string {
	scanner := bufio.NewScanner(bytes.NewReader(data))
	scanner.Buffer(nil, len(data)+1)
	for scanner.Scan() {
		if strings.Contains(scanner.Text(), part) {
			return scanner.Text()
		}
	}
	return ""
}

// compare holds the log against what Decide says of each request.
func (s *auditedServer) compare(events map[string][]auditEvent) {
	s.t.Helper()
	decided := map[int]int{}
	for _, r := range s.sent {
		d := s.evaluator.Decide(&r.Request)
		if !r.unread {
			decided[d.Rule]++
		}
		var stages []string
		for _, event := range events[r.id] {
			stages = append(stages, string(event.Stage))
			if problem := differs(&r, &d, &event); problem != "" {
				s.t.Errorf("%s (%d), rule %d at %s: %s", r.line, r.status, d.Rule, d.Level, problem)
			}
		}
		if want := r.stages(&d); !slices.Equal(stages, want) {
			s.t.Errorf("%s (%d), rule %d at %s: stages %v, want %v", r.line, r.status, d.Rule, d.Level, stages, want)
		}
		delete(events, r.id)
	}
	s.t.Logf("%d requests, events of %d others; requests by rule: %v", len(s.sent), len(events), decided)
	for i := range s.policy.Rules {
		if decided[i] == 0 {
			s.t.Errorf("no request was sent that rule %d on line %d decides", i, s.policy.Line(i))
		}
	}
	for _, others := range events { // of the API server itself, and of who waited for it
		for _, event := range others {
			r := event.request()
			if d := s.evaluator.Decide(&r); d.Level != event.Level || !d.Keeps(event.Stage) {
				s.t.Errorf("event %+v: want %s", event, d.Level)
			}
		}
	}
}

// request is what an event says of its request.
func (e *auditEvent) request() audit.Request {
	path, _, _ := strings.Cut(e.RequestURI, "?")
	r := audit.Request{User: e.User.Username, Groups: e.User.Groups, Verb: e.Verb, Path: path}
	if o := e.ObjectRef; o != nil {
		r.IsResource = true
		r.Group, r.Version, r.Resource, r.Subresource, r.Namespace, r.Name = o.APIGroup, o.APIVersion, o.Resource, o.Subresource, o.Namespace, o.Name
	}
	return r
}

// differs says in what an event is not what was expected.
func differs(r *sentRequest, d *audit.Decision, e *auditEvent) string {
	got := e.request()
	done := e.Stage == internal.StageResponseComplete && r.status < 300
	wantsRequest := !d.Level.Less(internal.LevelRequest)
	wantsResponse := !d.Level.Less(internal.LevelRequestResponse)
	isConnect := isLongRunning(&r.Request)
	switch {
	case e.Level != d.Level:
		return fmt.Sprintf("level %s", e.Level)
	case got.User != r.User || got.Verb != r.Verb || got.IsResource != r.IsResource:
		return fmt.Sprintf("it is %+v", got)
	case got.Group != r.Group || got.Resource != r.Resource || got.Subresource != r.Subresource || got.Namespace != r.Namespace:
		return fmt.Sprintf("it is for %+v", got)
	case got.Name != cmp.Or(r.Name, got.Name): // of a create the name is in the body
		return fmt.Sprintf("it is for %s", got.Name)
	case e.ResponseStatus.Code != 0 && e.ResponseStatus.Code != r.status:
		return fmt.Sprintf("status %d", e.ResponseStatus.Code)
	case e.RequestObject != nil && !wantsRequest:
		return "it has the body of the request"
	case e.ResponseObject != nil && !wantsResponse:
		return "it has the body of the answer"
	case done && wantsRequest && r.IsResource && r.body && !isConnect && e.RequestObject == nil:
		return "it lacks the body of the request"
	case done && wantsResponse && r.IsResource && !isConnect && e.ResponseObject == nil:
		return "it lacks the body of the answer"
	}
	return ""
}
