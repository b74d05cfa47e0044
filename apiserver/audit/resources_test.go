package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestResources(t *testing.T) {
	t.Parallel()
	lines := 0
	for line := range strings.Lines(resourcesText) {
		if !strings.HasPrefix(line, "#") {
			lines++
		}
	}
	if len(Resources()) != lines || lines < 100 {
		t.Errorf("%d resources of %d lines", len(Resources()), lines)
	}
	for _, r := range Resources() {
		if r.Version == "" || r.Kind == "" || len(r.Verbs) == 0 || r.Verbs[0] == "" || strings.ToLower(r.Name) != r.Name {
			t.Errorf("%+v", r)
		}
		if got, ok := findResource(r.Group, r.Name); !ok || got.Kind != r.Kind {
			t.Errorf("findResource(%q, %q) = %+v, %t", r.Group, r.Name, got, ok)
		}
		if name, sub, isSub := strings.Cut(r.Name, "/"); isSub {
			if _, ok := findResource(r.Group, name); !ok {
				t.Errorf("there is %q, but not %q", r.Name, name)
			}
			if !slices.Contains(subresources(r.Group, name), sub) {
				t.Errorf("subresources(%q, %q) lacks %q", r.Group, name, sub)
			}
		}
	}
	groups := groupNames()
	if groups[0] != "" || !slices.IsSorted(groups) || !slices.Contains(groups, "rbac.authorization.k8s.io") {
		t.Errorf("groups %q", groups)
	}
	for group, want := range map[string]bool{"": true, "apps": true, "core": false, "v1": false, " ": false, "metrics.k8s.io": false} {
		if knownGroup(group) != want {
			t.Errorf("knownGroup(%q) = %t", group, !want)
		}
	}
	if got, ok := findResource("apps", "pods"); ok {
		t.Errorf("findResource(apps, pods) = %+v", got)
	}
	if got := subresources("", "configmaps"); got != nil {
		t.Errorf("Subresources of configmaps: %q", got)
	}
}

func TestFindResources(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"pods":                       "/pods",
		"pod":                        "/pods",
		"po":                         "/pods",
		"Pods":                       "/pods",
		"deploy":                     "apps/deployments",
		"deployments.apps":           "apps/deployments",
		"deployments.v1.apps":        "apps/deployments",
		"deployments.v1beta1.apps":   "",
		"deployments.extensions":     "",
		"deploy/scale":               "apps/deployments/scale",
		"deployments.apps/scale":     "apps/deployments/scale",
		"pods/exec":                  "/pods/exec",
		"po/exec":                    "/pods/exec",
		"pods/scale":                 "",
		"events":                     "/events events.k8s.io/events",
		"ev":                         "/events events.k8s.io/events",
		"events.events.k8s.io":       "events.k8s.io/events",
		"ingress":                    "networking.k8s.io/ingresses",
		"endpoints":                  "/endpoints",
		"csr":                        "certificates.k8s.io/certificatesigningrequests",
		"podexecoptions":             "",
		"certificates.k8s.io":        "",
		"":                           "",
		"/":                          "",
		"pods/":                      "",
		".apps":                      "",
		"widgets.example.com":        "",
		"networkpolicy":              "networking.k8s.io/networkpolicies",
		"crds":                       "apiextensions.k8s.io/customresourcedefinitions",
		"serviceaccounts/token":      "/serviceaccounts/token",
		"horizontalpodautoscalers/x": "",
	} {
		var got []string
		for _, r := range FindResources(name) {
			got = append(got, fmt.Sprintf("%s/%s", r.Group, r.Name))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("FindResources(%q) = %q, want %q", name, got, want)
		}
	}
}
