package main_test

import (
	"testing"

	"github.com/pkictl/pkictl/apiserver/audit"
)

// TestAuditPoliciesOnRealAPIServer runs a real kube-apiserver with each preset,
// and with rules of one's own, sends it requests of all kinds, and compares its
// log event by event with what the policy was said to do.
func TestAuditPoliciesOnRealAPIServer(t *testing.T) {
	t.Parallel()
	w := newUserDir(t)
	w.pkictl("init-ca")
	w.controlPlaneFiles()
	for _, line := range []string{
		"--cn kube-admin --group system:masters --out pki/admin", "--cn jane --group developers",
		"--cn system:node:n1 --group system:nodes --out pki/node", "--cn system:kube-proxy --out pki/kube-proxy",
		"--cn system:apiserver --group system:masters --out pki/itself", "--cn system:serviceaccount:kube-system:endpoint-controller --out pki/endpoints",
		"--cn system:kube-scheduler --out pki/kube-scheduler", "--cn system:kube-controller-manager --out pki/kube-controller-manager",
	} {
		w.pkictl("issue " + line)
	}
	policies := map[string][]string{
		"own": {"--log", "any by jane at RequestResponse", "--log", "delete pods in prod-namespace at RequestResponse",
			"--log", "widgets.example.com in dev at RequestResponse", "--log", "pods/* named web-admin,web-robot at Request",
			"--ignore", "everything by system:serviceaccount:dev:robot", "--log", "changes any in prod-namespace,kube-system at Request",
			"--rule", "level=Metadata;urls=/healthz*,/logs/*;groups=system:unauthenticated", "--rule", "verbs=watch,resources=nodes,level=None,groups=system:nodes"},
	}
	for _, preset := range audit.Presets() {
		policies[preset.Name] = []string{"--preset", preset.Name}
	}
	for name, args := range policies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := userDir{t, w.dir}
			s := w.startAudited(name, []byte(w.run(pkictl(), append([]string{"audit", "generate"}, args...)...)))
			t.Cleanup(func() { _ = s.cp.Stop() }) // where it fails before; the second stop does nothing
			s.addUsers()
			s.sendAll()
			if len(s.sent) < 200 {
				t.Errorf("%d requests only", len(s.sent))
			}
			s.compare(s.stop())
		})
	}
}
