package apiserver

import (
	"context"
	"fmt"
)

// WriteAndWait is Write under a watch: see Watch and Watcher.Await; the lock is
// held until the end. Where kube-apiserver does not come back the old manifest is
// put back, and with it the files that were replaced; those that were made stay.
// Where the manifest is already what a change was to make of it that was cut short,
// WriteAndWait waits for that. Of o the Manifest, Waiting, After, TakeBack and Stays are the patch's. The result
// of the wait is nil if the manifest did not change, or could not be written.
func (p *Patch) WriteAndWait(ctx context.Context, waiting func(), o WaitOptions) (*Written, *WaitResult, error) {
	if !p.ChangesManifest() && p.CutShort == "" {
		written, err := p.Write(ctx, waiting)
		return written, nil, err
	}
	o.Manifest, o.Waiting, o.After, o.TakeBack, o.Stays = p.Path, waiting, p.After, p.takeFilesBack, p.keysThatStay()
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
	return written, result, err
}

// keysThatStay says what to know of a file with a key that the change makes: the
// API server may have encrypted with it before it ended.
func (p *Patch) keysThatStay() string {
	for _, file := range p.Files {
		if file.Secret {
			return fmt.Sprintf("keep %q: what was encrypted in the meantime cannot be read without the key in it", file.Path)
		}
	}
	return ""
}
