package kubeclient

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// GetJSON reads what is at path, of any kind, as it comes.
func (c *Client) GetJSON(ctx context.Context, path string) ([]byte, error) {
	timed, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	data, err := c.rest.Get().AbsPath(path).SetHeader("Accept", "application/json").Do(timed).Raw()
	if err != nil && ctx.Err() == nil && timed.Err() != nil {
		return nil, c.noAnswer()
	}
	return data, c.explain(ctx, err)
}

// CreateJSON sends an object of any kind, in JSON, to the list at path. A field that
// the API server does not know is an error.
func (c *Client) CreateJSON(ctx context.Context, path string, object []byte) error {
	request := c.rest.Post().AbsPath(path).SetHeader("Content-Type", "application/json").Body(object)
	return c.do(ctx, strict(request), nil)
}

// ApplyJSON makes the object at path what object says, by a server-side apply under
// the name of an owner. A field that the API server does not know is an error.
func (c *Client) ApplyJSON(ctx context.Context, path, owner string, object []byte) error {
	request := c.rest.Patch(types.ApplyPatchType).AbsPath(path).Param("fieldManager", owner).Param("force", "true").Body(object)
	return c.do(ctx, strict(request), nil)
}

// strict has unknown fields refused.
func strict(request *rest.Request) *rest.Request { return request.Param("fieldValidation", "Strict") }
