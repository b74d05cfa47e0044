package apiserver_test

import (
	"strings"
	"testing"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/apiserver/audit"
)

// TestPolicyRules: what a policy logs of what the benchmark names is told by the
// rules that decide, whatever else stands in it.
func TestPolicyRules(t *testing.T) {
	t.Parallel()
	const safe = "- {level: Metadata, resources: [{resources: [secrets, configmaps, serviceaccounts/token]}, {group: authentication.k8s.io, resources: [tokenreviews]}]}\n"
	for _, test := range []struct {
		name, rules string
		want        string // what is found, "" if nothing is
	}{
		{"Metadata for all", "- level: Metadata\n", ""},
		{"bodies behind what keeps secrets safe", safe + "- level: RequestResponse\n", ""},
		{"bodies of all", "- level: Request\n", "rule 1 logs bodies of secrets (Request) (line 4); rule 1 logs bodies of configmaps (Request) (line 4); rule 1 logs bodies of tokenreviews.authentication.k8s.io (Request) (line 4)"},
		{"bodies of one user's secrets", "- {level: RequestResponse, users: [jane], resources: [{resources: [secrets]}]}\n- level: Metadata\n", "rule 1 logs bodies of secrets (RequestResponse) (line 4)"},
		{"bodies of one secret", "- {level: RequestResponse, namespaces: [prod], verbs: [get], resources: [{resources: [secrets], resourceNames: [db]}]}\n- level: Metadata\n", "rule 1 logs bodies of secrets (RequestResponse) (line 4)"},
		{"reading one sends nothing", "- {level: Request, namespaces: [prod], verbs: [get], resources: [{resources: [secrets], resourceNames: [db]}]}\n- level: Metadata\n", ""},
		{"tokens that are answered", "- {level: RequestResponse, resources: [{resources: [serviceaccounts/token]}]}\n- level: Metadata\n", "rule 1 logs bodies of serviceaccounts/token (RequestResponse) (line 4)"},
		{"safe for one namespace", "- {level: Metadata, namespaces: [prod]}\n- {level: Request, namespaces: [prod, dev], resources: [{resources: [secrets]}]}\n- level: Metadata\n", "rule 2 logs bodies of secrets (Request) (line 5)"},
		{"a rule that is never reached", "- level: Metadata\n- {level: Request, resources: [{resources: [secrets]}]}\n", ""},
		{"bodies of pods are none of them", "- {level: Request, resources: [{resources: [pods]}]}\n- level: Metadata\n", ""},
		{"nothing but secrets", "- {level: Metadata, resources: [{resources: [secrets]}]}\n", "no rule logs create, update, patch, delete, deletecollection of pods; no rule logs create, update, patch, delete, deletecollection of deployments; no rule logs get, create of exec"},
		{"exec forgotten", "- {level: None, resources: [{resources: [pods/exec]}]}\n- level: Metadata\n", "rule 1 does not log get, create of pods/exec (line 4)"},
		{"administrators are not logged", "- {level: None, userGroups: [system:masters], verbs: [delete]}\n- level: Metadata\n", "rule 1 does not log delete of secrets (line 4)"},
		{"a namespace is not logged", "- {level: None, namespaces: [kube-system], resources: [{resources: [pods]}]}\n- level: Metadata\n", "rule 1 does not log create, update, patch, delete, deletecollection of pods (line 4)"},
		{"nodes are not logged", "- {level: None, userGroups: [system:nodes]}\n- level: Metadata\n", ""},
		{"all stages are left out", "- {level: None, verbs: [watch]}\n- {level: Metadata, omitStages: [RequestReceived, ResponseStarted, ResponseComplete]}\n", "rule 1 does not log watch of secrets (line 4); rule 2 does not log get, list"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newCheckSite(t)
			s.etc("policy.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"+test.rules)
			r := s.result(s.pod("kube-apiserver", "v1.36.3", "--audit-policy-file=ETC/policy.yaml"), "3.2.2")
			if (test.want == "") != (r.Status == apiserver.StatusPass) || !strings.Contains(strings.ReplaceAll(r.Found, "pods/exec", "exec"), strings.ReplaceAll(test.want, "pods/exec", "exec")) {
				t.Errorf("%s: %s\nwant %s", r.Status, r.Found, test.want)
			}
		})
	}
}

// TestPresetsPass: what audit generate writes is what the benchmark asks for, but
// for the preset that logs no reads.
func TestPresetsPass(t *testing.T) {
	t.Parallel()
	for _, preset := range audit.Presets() {
		data, err := audit.Generate(audit.Options{Preset: preset.Name})
		if err != nil {
			t.Fatal(err)
		}
		s := newCheckSite(t)
		s.etc("policy.yaml", string(data))
		r := s.result(s.pod("kube-apiserver", "v1.36.3", "--audit-policy-file=ETC/policy.yaml"), "3.2.2")
		if want := preset.Name != "minimal"; want != (r.Status == apiserver.StatusPass) || strings.Contains(r.Found, "bodies") {
			t.Errorf("preset %s: %s: %s", preset.Name, r.Status, r.Found)
		}
	}
}
