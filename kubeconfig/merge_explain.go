package kubeconfig

import "context"

// ExplainMerge returns the kubectl commands, for a POSIX shell, that merge.
func ExplainMerge(ctx context.Context, o MergeOptions) (string, error) {
	return "", nil
}
