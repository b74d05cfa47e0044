package main_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var updateResources = flag.Bool("update-resources", false, "rewrite apiserver/audit/resources.txt with what kube-apiserver serves")

// gates are of resources that are served only with them. With that which is
// closed, the log has events of watches in another order.
const gates = "--feature-gates=AllAlpha=true,AllBeta=true,APIServingWithRoutine=false"

// get reads JSON from the API server.
func (c auditCluster) get(path string, into any) {
	c.t.Helper()
	resp, err := c.client.Get(c.url + path)
	ok(c.t, err)
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %s, %v", path, resp.Status, err)
	}
}

// resources writes what the API server serves, as resources.txt has it.
func (c auditCluster) resources() string {
	c.t.Helper()
	var version struct{ GitVersion string }
	c.get("/version", &version)
	var b strings.Builder
	fmt.Fprintf(&b, "# What kube-apiserver %s serves with --runtime-config=api/all=true %s.\n# group version resource scope kind verbs short-names\n", version.GitVersion, gates)
	c.writeGroup(&b, "core", []string{"v1"})
	var list metav1.APIGroupList
	c.get("/apis", &list)
	slices.SortFunc(list.Groups, func(a, b metav1.APIGroup) int { return strings.Compare(a.Name, b.Name) })
	for _, group := range list.Groups {
		versions := []string{group.PreferredVersion.Version}
		for _, v := range group.Versions {
			if !slices.Contains(versions, v.Version) {
				versions = append(versions, v.Version)
			}
		}
		c.writeGroup(&b, group.Name, versions)
	}
	return b.String()
}

// writeGroup writes each resource of a group in the first version that has it.
func (c auditCluster) writeGroup(b *strings.Builder, group string, versions []string) {
	c.t.Helper()
	lines := map[string]string{}
	for _, version := range versions {
		path := "/apis/" + group + "/" + version
		if group == "core" {
			path = "/api/" + version
		}
		var list metav1.APIResourceList
		c.get(path, &list)
		for _, r := range list.APIResources {
			scope, short := "cluster", "-"
			if r.Namespaced {
				scope = "namespaced"
			}
			if len(r.ShortNames) > 0 {
				short = strings.Join(r.ShortNames, ",")
			}
			slices.Sort(r.Verbs)
			if _, known := lines[r.Name]; !known {
				lines[r.Name] = strings.Join([]string{group, version, r.Name, scope, r.Kind, strings.Join(r.Verbs, ","), short}, " ")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		fmt.Fprintln(b, lines[name])
	}
}
