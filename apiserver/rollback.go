package apiserver

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/staticpod"
)

// giveUp puts the old manifest back, and waits until kube-apiserver is as it was.
// changed is nil if nothing could be watched.
func (w *Watcher) giveUp(ctx context.Context, changed *watch, cause *Cause, log staticpod.Log) (*WaitResult, error) {
	isTaken := changed == nil || changed.wasDown || !w.before.isUp || w.before.logs.Begun() || changed.last != nil
	if !isTaken {
		cause, log = notTaken(), staticpod.Log{}
	}
	w.result.Cause, w.result.Log, w.result.Tail = cause, log.Path, log.Lines
	w.progress("kube-apiserver did not come back; putting the old manifest back")
	before := w.WaitOptions.look(ctx, w.old, w.at)
	if err := w.putBack(); err != nil {
		return w.result, w.notPutBack(err)
	}
	back := &watch{o: w.WaitOptions, c: w.old, at: w.at, before: before}
	switch {
	case !isTaken:
		w.result.State = WaitNotTaken
		return w.result, w.failed("the old manifest is back, and kube-apiserver still runs by it")
	case !w.result.WasHealthy && !w.kept.wasThere:
		w.result.State = WaitRolledBack
		return w.result, w.failed("the old manifest is back; kube-apiserver was not healthy with that either")
	}
	w.progress("the old manifest is back; waiting until kube-apiserver is healthy again")
	if proof, _ := back.ready(ctx); proof == "" {
		w.result.State = WaitNotHealthy
		return w.result, w.failed(fmt.Sprintf("the old manifest is back, but kube-apiserver is not healthy yet (last answer: %v)", back.last))
	}
	w.result.State = WaitRolledBack
	return w.result, w.failed("the old manifest is back, and kube-apiserver is healthy again")
}

// putBack puts back what the change has replaced, the manifest last.
func (w *Watcher) putBack() error {
	if w.TakeBack != nil {
		w.notTakenBack = w.TakeBack()
	}
	return w.kept.putBack() // whatever became of the rest: it needs no space on the disk
}

func notTaken() *Cause {
	return &Cause{
		Found: "the kubelet has not taken the change",
		Hint:  "see whether the kubelet runs, and reads that directory: systemctl status kubelet, and staticPodPath in its configuration",
	}
}

// failed says why the change failed, and what is now. The log is in the result.
func (w *Watcher) failed(now string) error {
	now += w.notAll()
	return failure.New(failure.Failed, w.result.Cause.Hint, "kube-apiserver did not come back with the changed manifest: %s; %s", w.result.Cause.Found, now)
}

// notAll says what else could not be put back.
func (w *Watcher) notAll() string {
	if w.notTakenBack == nil {
		return ""
	}
	return fmt.Sprintf("; but not all that goes with it, which is in the backups: %v", w.notTakenBack)
}

func (w *Watcher) notPutBack(err error) error {
	return failure.Wrap(err, failure.Failed, "put it back by hand: mv "+shell.Quote(w.kept.path)+" "+shell.Quote(w.Manifest),
		"kube-apiserver did not come back with the changed manifest: %s; and the old one, which is %q, cannot be put back", w.result.Cause.Found, w.kept.path)
}

// interrupted puts the old manifest back when nobody waits any more: whoever
// leaves, or is cut off, is to leave an API server that is known to work.
func (w *Watcher) interrupted(err error) (*WaitResult, error) {
	w.result.Cause = &Cause{Found: "the wait was interrupted"}
	if err := w.putBack(); err != nil {
		return w.result, w.notPutBack(err)
	}
	w.result.State = WaitInterrupted
	return w.result, failure.Wrap(err, failure.Failed, "see when it is healthy: kubectl get --raw /readyz; then run the command again, and let it wait",
		"the wait was interrupted, and the old manifest is back; kube-apiserver may still be about to restart with it%s", w.notAll())
}

// InterruptedChange returns the path of the manifest as it was before a change
// that was cut short by a crash of the program, "" if there was none.
func InterruptedChange(manifest string) string {
	k := &kept{manifest: manifest, path: keptPath(manifest)}
	if !isThere(k.path) || k.isUnchanged() || staticpod.IsLocked(filepath.Dir(manifest)) { // then somebody waits
		return ""
	}
	return k.path
}
