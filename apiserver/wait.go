package apiserver

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
)

// WaitTimeout is how long kube-apiserver has to come back where nothing else is
// said. The kubelet sees a manifest at once, or 20 s later where nothing notifies
// it; kube-apiserver is ready some seconds after its start.
const WaitTimeout = 60 * time.Second

const waitInterval = 250 * time.Millisecond // between two questions

// WaitOptions say which kube-apiserver to watch while its manifest changes.
type WaitOptions struct {
	// Manifest is the path of the static pod's manifest.
	Manifest string
	// Timeout is for kube-apiserver to be ready again, and once more for the old one
	// after that; zero: WaitTimeout.
	Timeout time.Duration
	// Interval is between two questions; zero: 250 ms.
	Interval time.Duration
	// LogDir is where the kubelet keeps the logs of pods; empty: /var/log/pods.
	LogDir string
	// Waiting is told when another pkictl holds the lock of the directory of
	// manifests; it may be nil.
	Waiting func()
	// After is what the caller writes; nil: what is there when it calls Await.
	After []byte
	// TakeBack takes back what else the change has replaced, such as an audit policy,
	// before the old manifest is put back; it may be nil. The manifest is put back
	// also where that fails.
	TakeBack func() error
	// Progress is told each step in words, which are printable; it may be nil.
	Progress func(step string)
}

// WaitState is what became of a change.
type WaitState string

// States of a change in a WaitResult.
const (
	WaitHealthy     WaitState = "healthy"     // the changed manifest is in force
	WaitRolledBack  WaitState = "rolled back" // the old manifest is, and as healthy as it was
	WaitNotTaken    WaitState = "not taken"   // the old manifest is back, and the kubelet never took the new one
	WaitInterrupted WaitState = "interrupted" // the old manifest is back; nobody waited
	WaitNotHealthy  WaitState = "not healthy" // the old manifest is back, but not healthy
	WaitNotPutBack  WaitState = "changed"     // the changed manifest is still there, and not healthy
	WaitNotOurs     WaitState = "not ours"    // somebody else has changed the manifest since, and it stays so
)

// WaitResult says what became of a change.
type WaitResult struct {
	State    WaitState `json:"state"`
	Manifest string    `json:"manifest"`
	Health   string    `json:"health"` // URL that was asked
	// Proof says how it is known that a new process answers; "" where none does.
	Proof string `json:"proof,omitempty"`
	// WasHealthy says whether kube-apiserver was healthy before the change.
	WasHealthy bool `json:"wasHealthy"`
	// Cause is why the changed manifest did not work, as far as it is known.
	Cause *Cause `json:"cause,omitempty"`
	// Log and Tail are the log of that kube-apiserver, and its last lines.
	Log  string   `json:"log,omitempty"`
	Tail []string `json:"tail,omitempty"`
}

// Watcher watches over the change of a manifest. Until Await or Close the old
// manifest is kept in a directory beside the kubelet's, MANIFESTS-changing, and
// the directory of manifests is locked against other pkictls.
type Watcher struct {
	WaitOptions
	unlock func()
	old    *staticpod.Component
	at     *staticpod.Listener
	before look
	kept   *kept
	left   []string // what could not be put back, in words
	// isAgain says that the change was written by a run that was cut short.
	isAgain bool
	// wasProven says that kube-apiserver was seen to be healthy with it since.
	wasProven bool
	result    *WaitResult
}

// Watch locks the directory of the manifest, for which it waits for another pkictl,
// looks at kube-apiserver before its manifest is changed, and keeps the manifest.
// The caller then writes the changed one, in one step, as
// store.ReplaceFile does, and calls Await; or Close, if it did not write.
//
// Where an earlier change was cut short by a crash, the manifest from before that
// one is what is put back if need be, until a kube-apiserver that was started after
// that change is seen to be healthy.
func Watch(ctx context.Context, o WaitOptions) (*Watcher, error) {
	unlock, err := staticpod.Lock(ctx, filepath.Dir(o.Manifest), o.Waiting)
	if err != nil {
		return nil, err
	}
	k, err := openKept(o.Manifest)
	if err != nil {
		unlock()
		return nil, err
	}
	w, err := newWatcher(ctx, o, k)
	if err != nil {
		k.close()
		unlock()
		return nil, err
	}
	w.unlock = unlock
	return w, nil
}

func newWatcher(ctx context.Context, o WaitOptions, k *kept) (*Watcher, error) {
	o.Timeout = cmp.Or(o.Timeout, WaitTimeout)
	o.Interval = cmp.Or(o.Interval, waitInterval)
	o.LogDir = cmp.Or(o.LogDir, staticpod.LogDir)
	w := &Watcher{WaitOptions: o, kept: k}
	if err := w.look(ctx); err != nil {
		return nil, err
	}
	w.result = &WaitResult{State: WaitNotPutBack, Manifest: o.Manifest, Health: w.at.URL, WasHealthy: w.before.health == nil}
	if k.wasThere && !w.isProven(ctx) {
		w.progress("an earlier change was cut short, and no kube-apiserver is known to be healthy with it; if need be, the manifest from before that change is put back: %q", k.path)
		return w, nil
	}
	wasThere := k.wasThere
	w.wasProven = wasThere
	if err := k.keep(); err != nil {
		k.drop()
		return nil, err
	}
	if !wasThere {
		return w, nil
	}
	if err := w.look(ctx); err != nil {
		k.drop()
		return nil, err
	}
	return w, nil
}

// look reads the manifest that is kept, and looks at kube-apiserver.
func (w *Watcher) look(ctx context.Context) error {
	var err error
	if w.old, err = component(w.Manifest, w.kept.data); err != nil {
		return err
	}
	if w.at, err = w.listener(w.old); err != nil {
		return err
	}
	w.before = w.WaitOptions.look(ctx, w.old, w.at)
	if err := ctx.Err(); err != nil {
		return failure.Wrap(err, failure.Failed, "", "interrupted; nothing was changed")
	}
	return nil
}

// isProven says whether kube-apiserver is healthy with the manifest that is there
// now, although nobody has waited for it: it was started after that was written. The
// one from before may have been healthy all the time.
func (w *Watcher) isProven(ctx context.Context) bool {
	now, err := w.changed()
	if err != nil || now.at.Healthy(ctx) != nil {
		return false
	}
	started, err := now.at.Started(ctx)
	if err != nil {
		return false
	}
	return started > w.changedAt()
}

// changedAt is when a change that was cut short was made, in seconds since 1970.
func (w *Watcher) changedAt() float64 {
	last := 0.0
	for _, path := range []string{w.Manifest, filepath.Dir(w.kept.path)} {
		info, err := os.Stat(path)
		if err != nil {
			return math.Inf(1) // nothing is later
		}
		last = max(last, float64(info.ModTime().UnixNano())/1e9)
	}
	return last
}

// Close ends a watch without Await: the manifest was not written. After Await it
// does nothing.
func (w *Watcher) Close() {
	if w.kept == nil {
		return
	}
	if !w.kept.wasThere {
		w.kept.drop()
	}
	w.end()
}

func (w *Watcher) progress(format string, args ...any) {
	if w.Progress != nil {
		w.Progress(fmt.Sprintf(format, args...))
	}
}

// Await waits until kube-apiserver runs by the manifest that is there now, and is
// ready. It makes sure that a new process answers, and that the kubelet, which
// shows no certificate, may ask it too.
//
// Where it does not come back in time, or its log says that it never will, Await
// puts the old manifest back and waits until kube-apiserver is healthy again, if
// it was before. It puts it back as well when ctx ends; then it waits no more.
// Either is an error, and the result says more. A manifest that somebody else has
// changed since stays. After a crash of the program the changed manifest is in
// force, and Undo finds the old one.
func (w *Watcher) Await(ctx context.Context) (*WaitResult, error) {
	defer w.end()
	return w.await(ctx)
}

func (w *Watcher) await(ctx context.Context) (*WaitResult, error) {
	if w.isAgain && w.wasProven {
		w.result.State, w.result.Proof = WaitHealthy, startedAnew
		w.kept.drop()
		return w.result, nil
	}
	changed, err := w.changed()
	if w.After == nil && err == nil {
		w.After = changed.data
	}
	if err != nil {
		return w.giveUp(ctx, changed, &Cause{Found: err.Error(), Hint: failure.HintOf(err)}, staticpod.Log{})
	}
	w.result.Health = changed.at.URL
	if w.isAgain {
		changed.since = w.changedAt()
	}
	w.progress("waiting until kube-apiserver is healthy with the changed manifest")
	proof, cause := changed.ready(ctx)
	if proof != "" && cause == nil {
		if err := w.checkOurs(); err != nil {
			return w.notOurs(err, "kube-apiserver is healthy, but perhaps not with the change")
		}
		w.result.State, w.result.Proof = WaitHealthy, proof
		w.kept.drop()
		w.progress("kube-apiserver is healthy: %s", proof)
		return w.result, nil
	}
	if err := ctx.Err(); err != nil {
		return w.interrupted(err)
	}
	likely, log := changed.likely()
	if cause == nil {
		cause = likely
	}
	return w.giveUp(ctx, changed, cause, log)
}

// end keeps the old manifest if the changed one is still there, and frees the
// lock.
func (w *Watcher) end() {
	if w.kept != nil {
		w.kept.close()
		w.kept = nil
		w.unlock()
	}
}

// changed reads the manifest that is there now.
func (w *Watcher) changed() (*watch, error) {
	data, err := store.Read(w.Manifest, store.MaxYAML)
	if err != nil {
		return nil, err
	}
	c, err := component(w.Manifest, data)
	if err != nil {
		return nil, err
	}
	at, err := w.listener(c)
	if err != nil {
		return nil, err
	}
	return &watch{o: w.WaitOptions, data: data, c: c, at: at, before: w.before}, nil
}
