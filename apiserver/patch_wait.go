package apiserver

import (
	"context"
	"errors"

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
	o.Manifest, o.TakeBack = p.Path, p.takeFilesBack
	watcher, err := Watch(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	defer watcher.Close()
	written, err := p.Write(ctx, waiting)
	if err != nil {
		return nil, nil, err
	}
	result, err := watcher.Await(ctx)
	return written, result, err
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
