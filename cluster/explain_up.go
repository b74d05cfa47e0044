package cluster

// ExplainUp returns the commands that give the same result as Up.
func ExplainUp(o UpOptions) (string, error) {
	return "", nil
}
