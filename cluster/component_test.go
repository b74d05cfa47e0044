package cluster

import (
	"slices"
	"testing"
)

func TestWithExtra(t *testing.T) {
	t.Parallel()
	defaults := []string{"--authorization-mode=Node,RBAC", "--bind-address=127.0.0.1"}
	for _, tt := range []struct {
		name        string
		extra, want []string
	}{
		{"none", nil, defaults},
		{"another flag", []string{"--v=2"}, append(slices.Clone(defaults), "--v=2")},
		{"a flag replaced", []string{"--authorization-mode=RBAC"}, []string{"--bind-address=127.0.0.1", "--authorization-mode=RBAC"}},
		{"one dash", []string{"-bind-address=::1"}, []string{"--authorization-mode=Node,RBAC", "-bind-address=::1"}},
		{"authorizers from a file", []string{"--authorization-config=f"}, []string{"--bind-address=127.0.0.1", "--authorization-config=f"}},
		{"a flag twice", []string{"--v=2", "--v=3"}, append(slices.Clone(defaults), "--v=2", "--v=3")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := withExtra(defaults, tt.extra); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
