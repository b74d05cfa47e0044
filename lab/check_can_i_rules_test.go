package lab

import "testing"

// TestIsCovered has rights that RBAC may grant beside get, list and watch of pods, get
// of pods/log, and get and update of the ConfigMap state, all in web.
func TestIsCovered(t *testing.T) {
	t.Parallel()
	allowed := []question{
		aboutResource("get", "pods", "web", ""), aboutResource("list", "pods", "web", ""), aboutResource("get", "pods/log", "web", ""),
		aboutResource("get", "configmaps", "web", "state"), aboutResource("update", "configmaps", "web", "state"),
		aboutResource("get", "deployments.apps", "web", ""),
	}
	for _, test := range []struct {
		verb, group, resource, namespace string
		names                            []string
		want                             bool
	}{
		{"get", "", "pods", "web", nil, true},
		{"get", "*", "pods", "web", nil, true},
		{"get", "", "pods", "web", []string{"a"}, true},
		{"get", "", "pods", "db", nil, false},
		{"get", "apps", "pods", "web", nil, false},
		{"watch", "", "pods", "web", nil, false},
		{"*", "", "pods", "web", nil, false},
		{"get", "", "*", "web", nil, false},
		{"get", "", "pods/exec", "web", nil, false},
		{"list", "", "pods/log", "web", nil, true},
		{"create", "", "pods/log", "web", nil, false},
		{"get", "apps", "deployments", "web", nil, true},
		{"get", "apps", "deployments/scale", "web", nil, false},
		{"get", "", "configmaps", "web", nil, false},
		{"get", "", "configmaps", "web", []string{"state"}, true},
		{"list", "", "configmaps", "web", []string{"state"}, true},
		{"list", "", "configmaps", "web", nil, false},
		{"create", "", "configmaps", "web", []string{"state"}, true},
		{"patch", "", "configmaps", "web", []string{"state"}, false},
		{"get", "", "configmaps", "web", []string{"state", "other"}, false},
	} {
		if got := isCovered(test.verb, test.group, test.resource, test.namespace, test.names, allowed); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
