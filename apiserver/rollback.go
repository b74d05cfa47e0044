package apiserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
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
	before := w.shortLook(ctx)
	if err := w.checkOurs(); err != nil {
		return w.notOurs(err, "kube-apiserver did not come back: "+cause.Found)
	}
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

// shortLook looks at what is to be ended. One that accepts connections and does not
// answer is not to hold up its end.
func (w *Watcher) shortLook(ctx context.Context) look {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return w.WaitOptions.look(ctx, w.old, w.at)
}

// putBack puts back what the change has replaced, the manifest last. An error is
// one of the manifest, which is then still the changed one; what else went wrong is
// left to be said.
func (w *Watcher) putBack() error {
	if w.TakeBack != nil {
		if err := w.TakeBack(); err != nil {
			w.left = append(w.left, "not all that goes with it, which is in the backups: "+err.Error())
		}
	}
	err := w.kept.putBack()
	if err == nil {
		return nil
	}
	if now, readErr := store.Read(w.Manifest, store.MaxYAML); readErr != nil || !bytes.Equal(now, w.kept.data) {
		return err
	}
	w.left = append(w.left, err.Error()) // it is back all the same
	return nil
}

// notWritten puts the old manifest back if the changed one was written although
// that failed, as where the disk could not be asked to keep it.
func (w *Watcher) notWritten(err error) error {
	if now, readErr := store.Read(w.Manifest, store.MaxYAML); w.isAgain || readErr != nil || !bytes.Equal(now, w.After) {
		return err
	}
	defer w.end()
	if backErr := w.putBack(); backErr != nil {
		w.result.Cause = &Cause{Found: err.Error()}
		return w.notPutBack(backErr)
	}
	return failure.Wrap(err, failure.Failed, failure.HintOf(err), "the old manifest is back%s", w.also())
}

// checkOurs says what is wrong if the manifest is not the one that was written, nor
// the old one.
func (w *Watcher) checkOurs() error {
	now, err := store.Read(w.Manifest, store.MaxYAML)
	switch {
	case w.After == nil && !errors.Is(err, fs.ErrNotExist): // it could not be read before
		return nil
	case err == nil && !bytes.Equal(now, w.After) && !bytes.Equal(now, w.kept.data):
		return fmt.Errorf("somebody else has changed %q in the meantime", w.Manifest)
	}
	return err
}

// notOurs leaves a manifest alone that somebody else has changed. The old one is
// still kept.
func (w *Watcher) notOurs(err error, now string) (*WaitResult, error) {
	w.result.State = WaitNotOurs
	return w.result, failure.Wrap(err, failure.Failed, "look at it; as it was before the change it is: "+shell.Quote(w.kept.path), "%s; the manifest stays as it is", now)
}

// also is what else is to be known after the old manifest was put back.
func (w *Watcher) also() string {
	var all strings.Builder
	for _, left := range w.left {
		all.WriteString("; but " + left)
	}
	return all.String()
}

func notTaken() *Cause {
	return &Cause{
		Found: "the kubelet has not taken the change",
		Hint:  "see whether the kubelet runs, and reads that directory: systemctl status kubelet, and staticPodPath in its configuration",
	}
}

// failed says why the change failed, and what is now. The log is in the result.
func (w *Watcher) failed(now string) error {
	return failure.New(failure.Failed, w.result.Cause.Hint, "kube-apiserver did not come back with the changed manifest: %s; %s%s", w.result.Cause.Found, now, w.also())
}

func (w *Watcher) notPutBack(err error) error {
	return failure.Wrap(err, failure.Failed, "put it back by hand: mv "+shell.Quote(w.kept.path)+" "+shell.Quote(w.Manifest),
		"kube-apiserver did not come back with the changed manifest: %s; and the old one, which is %q, cannot be put back", w.result.Cause.Found, w.kept.path)
}

// interrupted puts the old manifest back when nobody waits any more: whoever
// leaves, or is cut off, is to leave an API server that is known to work.
func (w *Watcher) interrupted(err error) (*WaitResult, error) {
	w.result.Cause = &Cause{Found: "the wait was interrupted"}
	if err := w.checkOurs(); err != nil {
		return w.notOurs(err, "the wait was interrupted")
	}
	if err := w.putBack(); err != nil {
		return w.result, w.notPutBack(err)
	}
	w.result.State = WaitInterrupted
	return w.result, failure.Wrap(err, failure.Failed, "see when it is healthy: kubectl get --raw /readyz; then run the command again, and let it wait",
		"the wait was interrupted, and the old manifest is back; kube-apiserver may still be about to restart with it%s", w.also())
}

// InterruptedChange returns the path of the manifest as it was before a change
// that was cut short by a crash of the program, "" if there was none, or somebody
// still waits for it.
func InterruptedChange(manifest string) string {
	kept := cutShort(manifest)
	if kept == "" || staticpod.IsLocked(filepath.Dir(manifest)) {
		return ""
	}
	return kept
}

// cutShort is InterruptedChange for who holds the lock.
func cutShort(manifest string) string {
	k := &kept{manifest: manifest, path: keptPath(manifest)}
	if !isThere(k.path) || k.isUnchanged() {
		return ""
	}
	return k.path
}
