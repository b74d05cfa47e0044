package lab

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/pkictl/pkictl/cluster"
)

// sweep ends the clusters of exams that are over, or that were killed while they
// began. None goes on.
func sweep(ctx context.Context, root string) error {
	left, err := fs.Glob(os.DirFS(root), path.Join(examsDir, "*", "*", clusterDir, runDir))
	if err != nil {
		return err
	}
	var errs []error
	for _, run := range left {
		dir := filepath.Join(root, filepath.FromSlash(path.Dir(run)))
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue
		}
		_, err := cluster.Down(ctx, cluster.DownOptions{Dir: dir})
		node := &Workspace{Lab: &Lab{}, Dir: filepath.Dir(dir)}
		errs = append(errs, err, node.stopNode(ctx))
	}
	return errors.Join(errs...)
}
