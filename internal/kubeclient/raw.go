package kubeclient

import "context"

// GetJSON reads what is at path, of any kind.
func (c *Client) GetJSON(ctx context.Context, path string) ([]byte, error) {
	timed, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	data, err := c.rest.Get().AbsPath(path).SetHeader("Accept", "application/json").Do(timed).Raw()
	return data, c.explain(ctx, err)
}
