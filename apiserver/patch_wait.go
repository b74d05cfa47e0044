package apiserver

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
)

// WriteAndWait is Write under a watch: see Watch and Watcher.Await. Where
// kube-apiserver does not come back the old manifest is put back, and with it the
// files that were replaced; those that were made stay. Of o the Manifest and
// TakeBack are the patch's. The result of the wait is nil if the manifest did not
// change, or could not be written.
func (p *Patch) WriteAndWait(ctx context.Context, waiting func(), o WaitOptions) (*Written, *WaitResult, error) {
	if !p.ChangesManifest() {
		written, err := p.Write(ctx, waiting)
		return written, nil, err
	}
	unlock, err := staticpod.Lock(ctx, filepath.Dir(p.Path), waiting)
	if err != nil {
		return nil, nil, err
	}
	defer unlock() // nobody else changes or moves the manifest that may be put back
	o.Manifest, o.TakeBack = p.Path, p.takeFilesBack
	watcher, err := Watch(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	defer watcher.Close()
	written, err := p.write()
	if err != nil {
		return nil, nil, err
	}
	result, err := watcher.Await(ctx)
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

// takeFilesBack gives the files that were replaced their old contents.
func (p *Patch) takeFilesBack() error {
	var errs []error
	for _, file := range p.Files {
		if file.Old != nil {
			errs = append(errs, store.ReplaceFile(store.File{Path: file.Path, Data: file.Old, Mode: file.Mode, Keep: true}))
		}
	}
	return errors.Join(errs...)
}
