package ca

import "testing"

func TestFoldName(t *testing.T) {
	t.Parallel()
	for system, want := range map[string]bool{"linux": false, "darwin": true, "windows": true} {
		if got := foldName(system, "pki/Jane") == foldName(system, "pki/jane"); got != want {
			t.Errorf("%s: one file: %v", system, got)
		}
	}
}
