package apiserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/pkictl/pkictl/internal/failure"
)

// WriteAndWait is Write under a watch: see Watch and Watcher.Await; the lock is
// held until the end. Where kube-apiserver does not come back the old manifest is
// put back, and with it the files that were replaced; those that were made stay.
// Where the manifest is already what a change was to make of it that was cut short,
// WriteAndWait waits for that. Of o the Manifest, Waiting, After and TakeBack are
// the patch's. The result of the wait is nil if the manifest did not change, or
// could not be written.
func (p *Patch) WriteAndWait(ctx context.Context, waiting func(), o WaitOptions) (*Written, *WaitResult, error) {
	if !p.ChangesManifest() && p.CutShort == "" {
		written, err := p.Write(ctx, waiting)
		return written, nil, err
	}
	o.Manifest, o.Waiting, o.After, o.TakeBack = p.Path, waiting, p.After, p.takeFilesBack
	watcher, err := Watch(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	defer watcher.Close()
	watcher.isAgain = !p.ChangesManifest()
	if watcher.isAgain && !watcher.kept.wasThere && !watcher.wasProven { // another run has waited for it
		watcher.Close()
		written, err := p.Write(ctx, waiting)
		return written, nil, err
	}
	written, err := p.write()
	if err != nil {
		err = watcher.notWritten(err)
		p.dropBefore()
		return nil, nil, err
	}
	result, err := watcher.await(ctx)
	p.dropBefore()
	watcher.end()
	p.keepKey(err)
	return written, result, err
}

// keepKey adds to the error of a change that was taken back that a key which was
// made for it may be needed: kube-apiserver may have run for a moment.
func (p *Patch) keepKey(err error) {
	var failed *failure.Error
	if !errors.As(err, &failed) {
		return
	}
	for _, file := range p.Files {
		if file.Secret {
			failed.Hint = fmt.Sprintf("keep %q: what kube-apiserver has encrypted meanwhile can be read with its key alone, and --encrypt takes it up again; then %s", file.Path, failed.Hint)
		}
	}
}
