package audit

import "testing"

// TestPresetsAreClean: of what audit generate writes there is nothing to say but
// what it costs.
func TestPresetsAreClean(t *testing.T) {
	t.Parallel()
	if len(Presets()) < 4 {
		t.Fatalf("only %d presets", len(Presets()))
	}
	for _, preset := range Presets() {
		data, err := Generate(Options{Preset: preset.Name})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := Lint(preset.Name, data)
		if err != nil || Fails(findings) {
			t.Errorf("%s: %v\n%+v\n%s", preset.Name, err, findings, data)
		}
		t.Logf("%s: %s", preset.Name, places(findings))
	}
}

// knownPolicies are policies like those that most people begin with.
func knownPolicies() map[string]string {
	return map[string]string{
		// As in Kubernetes' documentation.
		"documentation": lintHead + `- level: RequestResponse
  resources: [{group: "", resources: ["pods"]}]
- level: Metadata
  resources: [{group: "", resources: ["pods/log", "pods/status"]}]
- level: None
  resources: [{group: "", resources: ["configmaps"], resourceNames: ["controller-leader"]}]
- level: None
  users: ["system:kube-proxy"]
  verbs: ["watch"]
  resources: [{group: "", resources: ["endpoints", "services"]}]
- level: None
  userGroups: ["system:authenticated"]
  nonResourceURLs: ["/api*", "/version"]
- level: Request
  resources: [{group: "", resources: ["configmaps"]}]
  namespaces: ["kube-system"]
- level: Metadata
  resources: [{group: "", resources: ["secrets", "configmaps"]}]
- level: Request
  resources: [{group: ""}, {group: "extensions"}]
- level: Metadata
  omitStages: ["RequestReceived"]
`,
		// As kube-up and GKE have had it.
		"gke": lintHead + `- level: None
  users: ["system:unsecured"]
  namespaces: ["kube-system"]
  verbs: ["get"]
  resources: [{group: "", resources: ["configmaps"]}]
- level: None
  userGroups: ["system:nodes"]
  verbs: ["get"]
  resources: [{group: "", resources: ["nodes", "nodes/status"]}]
- level: None
  users: ["system:apiserver"]
  verbs: ["get"]
  resources: [{group: "", resources: ["namespaces", "namespaces/status", "namespaces/finalize"]}]
- level: None
  users: ["system:kube-controller-manager"]
  verbs: ["get", "list"]
  resources: [{group: "metrics.k8s.io"}]
- level: None
  nonResourceURLs: ["/healthz*", "/version", "/swagger*"]
- level: None
  resources: [{group: "", resources: ["events"]}]
- level: Request
  users: ["system:serviceaccount:kube-system:namespace-controller"]
  verbs: ["deletecollection"]
- level: Metadata
  resources:
  - {group: "", resources: ["secrets", "configmaps"]}
  - {group: authentication.k8s.io, resources: ["tokenreviews"]}
- level: Request
  verbs: ["get", "list", "watch"]
  resources: &known [{group: ""}, {group: "apps"}, {group: "extensions"}, {group: "metrics.k8s.io"}, {group: "settings.k8s.io"}]
- level: RequestResponse
  resources: *known
- level: Metadata
`,
	}
}

// TestKnownPolicies: of policies that work nothing is found that is not so.
func TestKnownPolicies(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"documentation": "5:10 note logs-lists; 5:10 note managed-fields; 18:10 finding logs-secrets; 23:10 note logs-noise; 24:36 note removed-group",
		// Of requested tokens it logs the answers.
		"gke": "26:10 note managed-fields; 35:60 note removed-group; 35:110 note removed-group; 36:10 finding logs-secrets; 36:10 note logs-noise",
	} {
		findings, err := Lint(name, []byte(knownPolicies()[name]))
		if err != nil || places(findings) != want {
			t.Errorf("%s: %v\n%s\n%+v", name, err, places(findings), findings)
		}
	}
}
