package cluster

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// BundleOptions say what to bundle, to whom, and where to.
type BundleOptions struct {
	Dir string // cluster directory
	Recipients
	// Out is a file, "-" for Writer, or empty for Bundle.FileName in the working
	// directory.
	Out    string
	Writer io.Writer
	// Force replaces a bundle that is there; it replaces nothing else.
	Force  bool
	DryRun bool // everything but writing
	Now    time.Time
	// Waiting is told when another process changes the directory. It may be nil.
	Waiting func()
}

// BundleResult says what was bundled.
type BundleResult struct {
	*Bundle
	Path       string   // "-" for Writer
	Recipients []string // empty: a passphrase
}

// MakeBundle writes what the nodes of a control plane share as an encrypted
// archive, with mode 0600, or to a Writer. It is checked before (ReadBundle), and
// never written unencrypted. A file that is there is an error without Force.
func MakeBundle(ctx context.Context, o BundleOptions) (*BundleResult, error) {
	recipients, names, err := o.resolve()
	if err != nil {
		return nil, err
	}
	if !o.DryRun {
		if err := o.recover(ctx); err != nil {
			return nil, err
		}
	}
	bundle, err := ReadBundle(o.Dir, o.Now)
	if err != nil {
		return nil, err
	}
	result := &BundleResult{Bundle: bundle, Path: o.Out, Recipients: names}
	if result.Path == "" {
		result.Path = bundle.FileName()
	}
	if err := o.checkOut(result.Path); err != nil {
		return nil, err
	}
	if recipients == nil {
		recipient, err := o.byPassphrase(result.Path)
		if err != nil {
			return nil, err
		}
		recipients = []age.Recipient{recipient}
	}
	archive, err := bundle.archive(o.Now)
	if err != nil {
		return nil, err
	}
	data, err := encrypt(archive, recipients)
	if err != nil || o.DryRun {
		return result, err
	}
	return result, o.write(result.Path, data)
}

// recover completes what a killed process left half done: some of the files may
// not be in their places yet.
func (o BundleOptions) recover(ctx context.Context) error {
	if err := store.Recover(ctx, PKIDir(o.Dir), o.Waiting); err != nil {
		return err
	}
	nodes, err := bundledNodes(o.Dir)
	if err != nil || nodes[0] == "" {
		return err
	}
	for _, node := range nodes {
		if err := store.Recover(ctx, PKIDir(filepath.Join(o.Dir, node)), o.Waiting); err != nil {
			return err
		}
	}
	return nil
}

// checkOut refuses the place of the bundle before there is one. Even with Force
// nothing but a bundle is replaced: the name may be that of a key.
func (o BundleOptions) checkOut(path string) error {
	if path == "-" {
		return nil
	}
	if !o.Force {
		return bundleExists(store.CheckTargets(false, path))
	}
	if err := store.CheckTargets(true, path); err != nil {
		return err
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return store.ReadError(err, path)
	}
	defer f.Close()
	start := make([]byte, 64)
	n, _ := io.ReadFull(f, start) // what cannot be read is no bundle
	if !isAge(start[:n]) {
		return failure.New(failure.Refused, "choose another name with --out", "%q exists and is not a bundle", path)
	}
	return nil
}

func (o BundleOptions) write(path string, data []byte) error {
	switch {
	case path == "-":
		_, err := o.Writer.Write(data)
		return err
	case o.Force:
		return store.WriteFile(path, data, 0o600)
	}
	return bundleExists(store.WriteNew(path, data, 0o600))
}

func bundleExists(err error) error {
	var exists *store.ExistsError
	if errors.As(err, &exists) {
		return failure.New(failure.Failed, "choose another name with --out, or replace it with --force", "%q exists", exists.Path)
	}
	return err
}
