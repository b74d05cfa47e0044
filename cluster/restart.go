package cluster

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
)

// RestartTimeout is how long RestartStaticPods waits for each step where nothing
// else is said: what kubeadm gives a component to become healthy
// (cmd/kubeadm/app/apis/kubeadm/v1beta4/defaults.go).
const RestartTimeout = 4 * time.Minute

const (
	// kubeletFileCheck is the kubelet's fileCheckFrequency, after which it has seen
	// a change even if nothing notified it (pkg/kubelet/apis/config/v1beta1/defaults.go).
	kubeletFileCheck = 20 * time.Second

	restartInterval = 250 * time.Millisecond // between two questions
)

// RestartOptions says which static pods to restart.
type RestartOptions struct {
	// Dir is the cluster directory, like /etc/kubernetes: the certificates in its
	// pki ask etcd and the API server for their health.
	Dir string
	// Manifests is the kubelet's staticPodPath; empty: manifests in Dir.
	Manifests string
	// Components are restarted in this order; see RestartOrder and StaticPods.
	Components []string
	// Timeout is for a component to go down, and again to become healthy; zero:
	// RestartTimeout.
	Timeout time.Duration
	// FileCheck is the kubelet's fileCheckFrequency: how long a manifest stays away
	// if its component was not healthy before, so that its end cannot show that the
	// kubelet has seen it go; zero: 20 seconds, as the kubelet has it.
	FileCheck time.Duration
	// LogDir is where the kubelet keeps the logs of pods; empty: /var/log/pods.
	LogDir string
	// Now is the time at which certificates must be in force, never zero.
	Now time.Time
	// Progress is told each step in words, which are printable; it may be nil.
	Progress func(step string)
}

// RestartState is what became of a component.
type RestartState string

// States of a component in a RestartResult.
const (
	RestartDone        RestartState = "restarted"
	RestartSkipped     RestartState = "skipped"     // it is no static pod of this node
	RestartNotHealthy  RestartState = "not healthy" // its manifest is in its place
	RestartNotStopped  RestartState = "not stopped" // likewise
	RestartInterrupted RestartState = "interrupted" // likewise
	RestartUntouched   RestartState = "untouched"   // one before it failed
)

// RestartResult says what RestartStaticPods did.
type RestartResult struct {
	// PutBack are the manifests that an earlier restart, which was killed, had left
	// aside.
	PutBack    []string             `json:"putBack,omitempty"`
	Components []RestartedComponent `json:"components"`
}

// RestartedComponent is one of RestartOptions.Components.
type RestartedComponent struct {
	Component string       `json:"component"`
	State     RestartState `json:"state"`
	Manifest  string       `json:"manifest,omitempty"` // path
	Health    string       `json:"health,omitempty"`   // URL that was asked
	// Serves is the file with the certificate that the component was seen to serve.
	Serves string `json:"serves,omitempty"`
	// Note says why a component was skipped, or its certificate not compared.
	Note string `json:"note,omitempty"`
}

// restarter is one call of RestartStaticPods.
type restarter struct {
	RestartOptions
	aside  *aside
	result *RestartResult
}

// restartStep is one component that is to be restarted.
type restartStep struct {
	pod      *staticPod
	listener *staticpod.Listener
	report   *RestartedComponent
}

// RestartStaticPods restarts components that the kubelet runs as static pods,
// one after the other, as people do by hand: the manifest is moved to a directory
// beside the kubelet's (DIR/manifests-restarting), which is rename(2) alone, and back
// when the component is down; the next one follows when it is healthy, and
// serves the certificate that its manifest names.
//
// Whatever happens, the manifest comes back: after an error and when ctx ends
// before the function returns, after a crash by the next call of it or of
// PutManifestsBack. Before the first is moved all manifests are read, and the
// certificates that their flags name must be in force and fit their keys.
//
// The result says what was done also where there is an error. The error
// for a component that does not become healthy is a *ComponentError, with the end
// of its log, if the kubelet wrote one; those after it are not touched.
func RestartStaticPods(ctx context.Context, o RestartOptions) (*RestartResult, error) {
	o.Manifests = cmp.Or(o.Manifests, filepath.Join(o.Dir, "manifests"))
	o.Timeout = cmp.Or(o.Timeout, RestartTimeout)
	o.FileCheck = cmp.Or(o.FileCheck, kubeletFileCheck)
	o.LogDir = cmp.Or(o.LogDir, staticpod.LogDir)
	r := &restarter{RestartOptions: o, result: &RestartResult{}}
	if err := r.checkComponents(); err != nil {
		return r.result, err
	}
	var err error
	r.aside, err = openAside(ctx, o.Manifests, func() { r.progress("%s", waitingFor(o.Manifests)) })
	if err != nil {
		return r.result, err
	}
	defer r.aside.close()
	if err := r.recover(); err != nil {
		return r.result, err
	}
	steps, err := r.plan()
	if err != nil {
		return r.result, err
	}
	for _, step := range steps {
		if err := r.restart(ctx, step); err != nil {
			return r.result, err
		}
	}
	return r.result, nil
}

func (r *restarter) checkComponents() error {
	for i, component := range r.Components {
		if !slices.Contains(staticPods, component) {
			return failure.New(failure.Usage, "they are "+strings.Join(staticPods, ", "), "%q is no component that runs as a static pod", component)
		}
		if slices.Contains(r.Components[:i], component) {
			return failure.New(failure.Usage, "name it once", "%s is to be restarted twice", component)
		}
	}
	return nil
}

func (r *restarter) progress(format string, args ...any) {
	if r.Progress != nil {
		r.Progress(fmt.Sprintf(format, args...))
	}
}

// recover puts back what a killed run has left aside.
func (r *restarter) recover() error {
	names, err := r.aside.putBackAll()
	r.result.PutBack = names
	for _, name := range names {
		r.progress("%q lay aside since a restart that was interrupted; it is back", name)
	}
	return err
}

// plan finds out all that can be found out before anything is touched.
func (r *restarter) plan() ([]*restartStep, error) {
	pods, err := findStaticPods(r.aside.manifests, r.Components)
	if err != nil {
		return nil, err
	}
	r.result.Components = make([]RestartedComponent, len(r.Components))
	var steps []*restartStep
	for i, component := range r.Components {
		report := &r.result.Components[i]
		*report = RestartedComponent{Component: component, State: RestartUntouched}
		pod := pods[component]
		if pod == nil {
			report.State, report.Note = RestartSkipped, fmt.Sprintf("no manifest in %q runs it", r.Manifests)
			continue
		}
		report.Manifest = filepath.Join(r.Manifests, pod.file)
		if err := pod.checkFiles(r.Now); err != nil {
			return nil, err
		}
		at, err := pod.listener(r.Dir)
		if err != nil {
			return nil, err
		}
		report.Health = at.URL
		steps = append(steps, &restartStep{pod, at, report})
	}
	if steps == nil && len(r.Components) > 0 {
		return nil, failure.New(failure.Failed, "name the directory that the kubelet's staticPodPath names",
			"no manifest in %q runs %s", r.Manifests, strings.Join(r.Components, " or "))
	}
	return steps, nil
}

// restart restarts one component and waits until it is healthy.
func (r *restarter) restart(ctx context.Context, s *restartStep) error {
	name := s.pod.Name
	atLeast := time.Duration(0)
	if s.listener.Healthy(ctx) != nil {
		atLeast = r.FileCheck // its end would not be the kubelet's doing
	}
	logs := staticpod.LogsIn(r.LogDir, s.pod.Component)
	if err := r.stop(ctx, s, atLeast); err != nil {
		return err
	}
	r.progress("%s: it was down, and its manifest is back; waiting until it is healthy", name)
	if err := r.awaitHealthy(ctx, s); err != nil {
		s.report.State = RestartNotHealthy
		return r.unhealthy(ctx, s, err, logs)
	}
	s.report.State = RestartDone
	if err := r.compareServed(ctx, s); err != nil {
		return err
	}
	r.progress("%s is healthy%s", name, s.servedWords())
	return nil
}

// stop moves the manifest away, waits until the component is down, and moves it
// back, whatever happened.
func (r *restarter) stop(ctx context.Context, s *restartStep, atLeast time.Duration) error {
	// Nothing is said between the two moves: who reads it may have gone, and the
	// write would end the program.
	r.progress("%s: moving its manifest away until it is down", s.pod.Name)
	if err := ctx.Err(); err != nil {
		return interrupted(err, s, "it was not touched")
	}
	if err := r.aside.moveAway(s.pod.file); err != nil {
		return err
	}
	err := r.awaitDown(ctx, s, atLeast)
	if backErr := r.aside.putBack(s.pod.file); backErr != nil {
		s.report.State = RestartNotHealthy
		return backErr
	}
	return err
}

// awaitDown waits until nothing listens where the component did, and for the
// least time that its manifest must be away.
func (r *restarter) awaitDown(ctx context.Context, s *restartStep, atLeast time.Duration) error {
	bounded, cancel := context.WithTimeout(ctx, atLeast+r.Timeout)
	defer cancel()
	least := time.After(atLeast)
	var up error // why it is not down, as it was seen last
	for isAway := atLeast == 0; ; {
		if isAway {
			answer := s.listener.Down(bounded)
			if answer == nil {
				return nil
			}
			if up == nil || bounded.Err() == nil {
				up = answer
			}
		}
		select {
		case <-least:
			isAway = true
		case <-time.After(restartInterval):
		case <-bounded.Done():
			if err := ctx.Err(); err != nil {
				s.report.State = RestartInterrupted
				return interrupted(err, s, "its manifest is back in its place")
			}
			s.report.State = RestartNotStopped
			return failure.Wrap(up, failure.Failed,
				"see whether the kubelet runs, and reads that directory: systemctl status kubelet, and staticPodPath in its configuration",
				"%s is not down %s after its manifest was moved out of %q, where it is again", s.pod.Name, r.Timeout, r.Manifests)
		}
	}
}

// awaitHealthy waits until the component says that it is healthy. The error is
// the last answer.
func (r *restarter) awaitHealthy(ctx context.Context, s *restartStep) error {
	bounded, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	var last error // a question that was cut short is no answer
	for {
		answer := s.listener.Healthy(bounded)
		if answer == nil {
			return nil
		}
		if last == nil || bounded.Err() == nil {
			last = answer
		}
		select {
		case <-time.After(restartInterval):
		case <-bounded.Done():
			return last
		}
	}
}

// unhealthy says why the restart ends with a component that is not healthy.
func (r *restarter) unhealthy(ctx context.Context, s *restartStep, last error, logs staticpod.Logs) error {
	if err := ctx.Err(); err != nil {
		s.report.State = RestartInterrupted
		return interrupted(err, s, "its manifest is back in its place, but it is not healthy yet")
	}
	reason := fmt.Errorf("is not healthy %s after its manifest came back (last answer: %w)", r.Timeout, last)
	hint := "see why: crictl ps -a, crictl logs, journalctl -u kubelet; its manifest is in its place; when it is healthy, run the command again"
	what := "a static pod did not come back"
	if log := logs.Since(); log.Path != "" {
		return failure.Wrap(&ComponentError{Component: s.pod.Name, Err: reason, Log: log.Path, Tail: log.Lines}, failure.Failed, hint, "%s", what)
	}
	return failure.Wrap(fmt.Errorf("%s %w", s.pod.Name, reason), failure.Failed, hint, "%s", what)
}

func interrupted(err error, s *restartStep, state string) error {
	return failure.Wrap(err, failure.Failed, "run the command again when the component is healthy", "the restart of %s was interrupted; %s", s.pod.Name, state)
}
