package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
)

// look is what was seen of kube-apiserver before the manifest changed.
type look struct {
	address string
	health  error   // nil: it was ready
	isUp    bool    // it accepted connections
	started float64 // seconds since 1970; 0: it did not say
	asked   error   // what the kubelet's own probe got
	logs    staticpod.Logs
}

// component reads the manifest of a kube-apiserver.
func component(manifest string, data []byte) (*staticpod.Component, error) {
	pod, err := staticpod.Parse(data)
	if err != nil {
		return nil, failure.Wrap(err, failure.Failed, "see what the kubelet says of it: journalctl -u kubelet", "manifest %q cannot be read", manifest)
	}
	c := staticpod.Find(pod, Component)
	if c == nil {
		return nil, failure.New(failure.Failed, "name the manifest of kube-apiserver", "no container of manifest %q runs %s", manifest, Component)
	}
	return c, nil
}

// listener says where a kube-apiserver is asked. Beside the certificate that its
// manifest names for kubelets there is the one where kubeadm puts it.
func (o WaitOptions) listener(c *staticpod.Component) (*staticpod.Listener, error) {
	at, err := c.APIServer(filepath.Join(filepath.Dir(filepath.Dir(o.Manifest)), "pki", "apiserver-kubelet-client"))
	if err != nil {
		return nil, failure.Wrap(err, failure.Failed, "look at the flags in it", "manifest %q does not say where %s listens", o.Manifest, Component)
	}
	return at, nil
}

// look looks at the kube-apiserver that runs.
func (o WaitOptions) look(ctx context.Context, c *staticpod.Component, at *staticpod.Listener) look {
	l := look{address: at.Address, logs: staticpod.LogsIn(o.LogDir, c)}
	l.isUp = at.Down(ctx) != nil
	if !l.isUp {
		l.health = fmt.Errorf("it refuses connections on %q", at.Address)
		return l
	}
	l.health = at.Healthy(ctx)
	l.started, _ = at.Started(ctx) // 0 where it does not say
	if asks := c.KubeletAsks(at); asks != nil {
		l.asked = asks(ctx)
	}
	return l
}

// metricsInterval is between two questions for metrics, which are large.
const metricsInterval = 2 * time.Second

// watch follows one manifest from its writing until the process that it describes
// is ready.
type watch struct {
	o       WaitOptions
	data    []byte  // the manifest
	since   float64 // who was started later runs by it, in seconds since 1970
	c       *staticpod.Component
	at      *staticpod.Listener
	before  look
	wasDown bool  // since the manifest was written, as seen
	last    error // the last answer
}

// ready waits until the process that answers is a new one, and ready. It
// returns how that is known. A cause ends it early; with neither its time is
// over, or ctx is.
func (w *watch) ready(ctx context.Context) (proof string, cause *Cause) {
	if w.before.address != w.at.Address { // it is to listen elsewhere
		w.before.isUp, w.before.started = w.at.Down(ctx) != nil, 0
	}
	bounded, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	var asked time.Time
	for {
		answer := w.at.Healthy(bounded)
		if bounded.Err() == nil { // a question that was cut short is no answer
			w.last = answer
			w.wasDown = w.wasDown || answer != nil && !isAnswer(answer) && w.at.Down(bounded) == nil
		}
		switch {
		case answer == nil:
			mayAsk := time.Since(asked) > metricsInterval
			if mayAsk {
				asked = time.Now()
			}
			if proof := w.proof(bounded, mayAsk); proof != "" {
				return proof, w.probed(bounded)
			}
		case !isAnswer(answer) && bounded.Err() == nil:
			if cause := w.cause(); cause != nil && cause.Final {
				return "", cause
			}
		}
		select {
		case <-time.After(w.o.Interval):
		case <-bounded.Done():
			return "", nil
		}
	}
}

const startedAnew = "it was started anew, as its metrics say"

// proof says how it is known that the process which answers is not the one from
// before, "" if it is not. That it was seen to be down proves it. A process that
// ends and starts between two questions has a log of its own, which the kubelet
// begins when the one before has ended, and another time of its start. Where
// it was down before, a log is wanted if the kubelet writes any in that directory:
// the old manifest may have come up in the meantime.
func (w *watch) proof(ctx context.Context, mayAsk bool) string {
	hasBegun := w.before.logs.Begun()
	switch {
	case w.before.isUp && w.wasDown:
		return "it was seen to go down and come up"
	case hasBegun:
		return "the kubelet has begun a new log"
	case !w.before.isUp && w.before.logs.IsEmpty():
		return "it was down before"
	case !mayAsk:
		return ""
	}
	started, err := w.at.Started(ctx)
	isOther := w.before.started != 0 && started != w.before.started
	if err == nil && (isOther || w.since != 0 && started > w.since) {
		return startedAnew
	}
	return ""
}

// probed asks a process that is ready what the kubelet asks it, without any
// certificate: one that does not let it ask is ended soon.
func (w *watch) probed(ctx context.Context) *Cause {
	asks := w.c.KubeletAsks(w.at)
	if asks == nil || isRefusal(w.before.asked) {
		return nil
	}
	answer := asks(ctx)
	if !isRefusal(answer) {
		return nil
	}
	return &Cause{
		Found: fmt.Sprintf("the kubelet's probe is refused, so that the kubelet would end it after a while: %v", answer),
		Hint:  "leave anonymous access to /livez, /readyz and /healthz alone, by the anonymous conditions of a file for --authentication-config",
		Final: true,
	}
}

// isAnswer says whether a process has answered that it is not ready.
func isAnswer(err error) bool {
	var status *staticpod.StatusError
	return errors.As(err, &status)
}

func isRefusal(answer error) bool {
	var status *staticpod.StatusError
	return errors.As(answer, &status) && (status.Code == http.StatusUnauthorized || status.Code == http.StatusForbidden)
}

// cause reads why a process that does not answer has ended: off its log, or off
// the volumes where there is none.
func (w *watch) cause() *Cause {
	if log := w.ownLog(); log.Path != "" {
		return causeOfLog(log.Lines, w.c)
	}
	if !w.before.logs.Begun() && w.wasDown && w.before.isUp {
		return causeOfVolumes(w.c)
	}
	return nil
}

// ownLog is the log of a process that the changed manifest describes, none if
// there is none for certain: the one before writes to its own until it ends, and
// where it ended again and again it may have begun another.
func (w *watch) ownLog() staticpod.Log {
	log := w.before.logs.Since()
	if log.Path == "" || w.before.logs.HasSeen(log.Path) || w.before.health != nil && w.before.logs.IsOfLastPod(log.Path) {
		return staticpod.Log{}
	}
	return log
}

// likely is the cause as far as it can be told when the time is over.
func (w *watch) likely() (*Cause, staticpod.Log) {
	log := w.ownLog()
	if cause := causeOfVolumes(w.c); cause != nil && !w.before.logs.Begun() {
		return cause, staticpod.Log{}
	}
	hint := "see why: crictl ps -a, crictl logs, journalctl -u kubelet"
	cause := causeOfLog(log.Lines, w.c)
	switch {
	case isAnswer(w.last):
		return &Cause{Found: fmt.Sprintf("it runs, but is not ready: %v", w.last), Hint: "if it needs longer, wait longer with --timeout; else " + hint}, log
	case cause != nil:
		return cause, log
	case log.Path == "":
		return &Cause{Found: fmt.Sprintf("it left no log in %q: %v", w.o.LogDir, w.last), Hint: hint}, log
	}
	return &Cause{Found: fmt.Sprintf("its log names no cause: %v", w.last), Hint: "if it needs longer, wait longer with --timeout; else " + hint}, log
}
