package kubeclient

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TryCreate has the API server check an object, in JSON, that is to be created in the
// list at path, by all of its admission. Nothing is kept.
func (c *Client) TryCreate(ctx context.Context, path string, object []byte) error {
	o := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	return c.do(ctx, c.rest.Post().AbsPath(path).SpecificallyVersionedParams(&o, parameters(), version1).
		SetHeader("Content-Type", "application/json").Body(object), nil)
}

// TryPatch is TryCreate for a change of the object at path, or of a subresource of it,
// by a strategic merge patch: lists are merged by the names of their elements.
func (c *Client) TryPatch(ctx context.Context, path string, patch []byte) error {
	o := metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}
	return c.do(ctx, c.rest.Patch(types.StrategicMergePatchType).AbsPath(path).SpecificallyVersionedParams(&o, parameters(), version1).Body(patch), nil)
}
