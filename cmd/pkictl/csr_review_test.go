package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// rawRequest makes a request that pkictl csr new would not make.
func rawRequest(t *testing.T, dns []string, names ...pkix.AttributeTypeAndValue) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{ExtraNames: names}, DNSNames: dns}, key)
	ok(t, err)
	return ca.EncodeRequest(der)
}

func cn(name string) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: name}
}

func org(name string) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: name}
}

// post sends a request as it is, without the checks of pkictl csr submit.
func post(t *testing.T, c *kubeclient.Client, name, signer string, request []byte, usages ...certificatesv1.KeyUsage) *csr.Object {
	t.Helper()
	object := &csr.Object{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: certificatesv1.CertificateSigningRequestSpec{
		Request: request, SignerName: signer, Usages: usages,
	}}
	made := &csr.Object{} // what is sent shares its usages with other tests
	ok(t, c.Create(t.Context(), kubeclient.CertificateSigningRequests, object, made))
	return made
}

const (
	clientAuth = certificatesv1.UsageClientAuth
	serverAuth = certificatesv1.UsageServerAuth
	signing    = certificatesv1.UsageDigitalSignature
)

// exits runs pkictl as the user of a kubeconfig and checks the exit code.
func (c realCluster) exits(code int, kubeconfig string, args ...string) (stdout, stderr string) {
	c.t.Helper()
	stdout, stderr, err := c.try(pkictl(), append(args, "--kubeconfig", kubeconfig)...)
	got := 0
	if exit, isExit := err.(*exec.ExitError); isExit { //nolint:errorlint // as Run returns it
		got = exit.ExitCode()
	} else if err != nil {
		c.t.Fatal(err)
	}
	if got != code {
		c.t.Errorf("pkictl %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, stdout, stderr)
	}
	return stdout, stderr
}

// contains checks that a text has all parts.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("it lacks %q:\n%s", part, text)
		}
	}
}

// issueUser makes a kubeconfig of a user, signed by the cluster's CA.
func (c realCluster) issueUser(name string, groups ...string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name+".conf")
	args := []string{"issue", "--dir", c.pki, "--cn", name, "--out", filepath.Join(c.dir, name), "--kubeconfig", path, "--server", c.url}
	for _, group := range groups {
		args = append(args, "--group", group)
	}
	c.run(pkictl(), args...)
	return path
}

// servingRequest is that of a kubelet, for names and IP addresses.
func servingRequest(t *testing.T, commonName string, names ...string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	request := &x509.CertificateRequest{Subject: pkix.Name{Organization: []string{"system:nodes"}, CommonName: commonName}}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			request.IPAddresses = append(request.IPAddresses, ip)
		} else {
			request.DNSNames = append(request.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, request, key)
	ok(t, err)
	return ca.EncodeRequest(der)
}

// signerRole is a role to approve for a signer; kubectl create knows no signers.
func signerRole(name, signer string) string {
	return `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: ` + name + `}
rules: [{apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: ["` + signer + `"], verbs: [approve]}]
`
}

// verdictNode has addresses that no node should have: it says itself which.
const verdictNode = `apiVersion: v1
kind: Node
metadata: {name: verdict-there}
status:
  addresses:
  - {type: Hostname, address: verdict-there}
  - {type: InternalDNS, address: worker.example.com}
  - {type: InternalIP, address: 10.9.9.9}
  - {type: InternalDNS, address: kubernetes.default.svc}
  - {type: InternalDNS, address: kubernetes}
  - {type: ExternalDNS, address: localhost}
  - {type: ExternalIP, address: 127.0.0.1}
`

// TestCSRReviewVerdicts: what a request would allow, and the exit code.
func TestCSRReviewVerdicts(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	c.waitForRoles()
	admin := client(t, c.admin)
	for _, line := range []string{
		"create namespace verdict-dev",
		"create rolebinding verdict-v -n verdict-dev --clusterrole=view --group=verdict-viewers",
		"create rolebinding verdict-e -n verdict-dev --clusterrole=edit --user=verdict-editor",
		"create clusterrolebinding verdict-root --clusterrole=cluster-admin --user=verdict-root",
		"create clusterrolebinding verdict-sec --clusterrole=edit --group=verdict-everywhere",
		"create rolebinding verdict-sys -n kube-system --clusterrole=edit --user=verdict-system",
		"create namespace verdict-ops",
		"create serviceaccount verdict-sa -n verdict-ops",
		"create rolebinding verdict-o -n verdict-ops --clusterrole=edit --user=verdict-ops",
		"create clusterrolebinding verdict-sa --clusterrole=cluster-admin --serviceaccount=verdict-ops:verdict-sa",
		"create role verdict-tok -n verdict-ops --verb=create --resource=serviceaccounts/token --resource-name=other",
		"create rolebinding verdict-tok -n verdict-ops --role=verdict-tok --user=verdict-token",
		"create clusterrole verdict-asker --verb=create,get,list --resource=certificatesigningrequests.certificates.k8s.io",
		"create clusterrolebinding verdict-asker --clusterrole=verdict-asker --user=verdict-low",
		"create clusterrolebinding verdict-low2 --clusterrole=verdict-asker --group=system:bootstrappers",
		"create clusterrole verdict-approval --verb=create,update --resource=certificatesigningrequests,certificatesigningrequests/approval",
		"create clusterrolebinding verdict-app1 --clusterrole=verdict-approval --user=verdict-approver",
		"create clusterrolebinding verdict-app2 --clusterrole=verdict-signer --user=verdict-approver",
		"create clusterrolebinding verdict-app3 --clusterrole=verdict-approval --user=verdict-approver2",
		"create clusterrolebinding verdict-app4 --clusterrole=verdict-signers --user=verdict-approver2",
		"create clusterrolebinding verdict-half1 --clusterrole=verdict-asker --user=verdict-half",
		"create clusterrolebinding verdict-half2 --clusterrole=verdict-signer --user=verdict-half",
	} {
		c.asAdmin(line)
	}
	c.apply(verdictNode)
	c.apply(signerRole("verdict-signer", csr.SignerClient))
	c.apply(signerRole("verdict-signers", "kubernetes.io/*"))
	service := c.asAdmin("get service kubernetes -o jsonpath={.spec.clusterIP}")
	as := func(name string, groups ...string) *kubeclient.Client {
		other, err := admin.As(name, append(groups, "system:authenticated")...)
		ok(t, err)
		return other
	}
	const node, there = "system:node:verdict-node", "system:node:verdict-there"
	serving := []certificatesv1.KeyUsage{signing, serverAuth}
	tests := []struct {
		name    string
		as      *kubeclient.Client
		signer  string
		request []byte
		usages  []certificatesv1.KeyUsage
		code    int
		want    []string
	}{
		{"view", admin, csr.SignerClient, requestOf(t, "verdict-viewer", "verdict-viewers"), nil, 0,
			[]string{"would be  verdict-viewer, in verdict-viewers", "read pods", "in verdict-dev", "may not read secrets", "bindings  ClusterRole view in verdict-dev, to group verdict-viewers", "24h", "A certificate cannot be taken back"}},
		{"edit", admin, csr.SignerClient, requestOf(t, "verdict-editor"), nil, 0,
			[]string{"DANGER: read secrets in verdict-dev", "DANGER: run pods in verdict-dev", "may not elsewhere than in verdict-dev: read secrets"}},
		{"root", admin, csr.SignerClient, requestOf(t, "verdict-root"), nil, 3,
			[]string{"CONCERN: they could do everything in the whole cluster", "bindings  ClusterRole cluster-admin in the whole cluster, to user verdict-root"}},
		{"everywhere", admin, csr.SignerClient, requestOf(t, "verdict-ev", "verdict-everywhere"), nil, 3, []string{"CONCERN: they could read secrets, create tokens of service accounts, ", "run commands in pods in the whole cluster\n"}},
		{"system", admin, csr.SignerClient, requestOf(t, "verdict-system"), nil, 3, []string{"CONCERN: they could read secrets, ", "in kube-system\n"}},
		{"ops", admin, csr.SignerClient, requestOf(t, "verdict-ops"), nil, 3,
			[]string{"CONCERN: they could read secrets, create tokens of service accounts, impersonate service accounts, run pods, run commands in pods in verdict-ops: this leads to the service account verdict-ops/verdict-sa, which may do everything in the whole cluster"}},
		{"token", admin, csr.SignerClient, requestOf(t, "verdict-token"), nil, 0, []string{"DANGER: create tokens of service accounts (of the name other) in verdict-ops"}},
		{"nobody", admin, csr.SignerClient, requestOf(t, "verdict-nobody"), nil, 0, []string{"may     nothing that was granted to them"}},
		{"self", as("verdict-low"), csr.SignerClient, requestOf(t, "verdict-low"), nil, 0, []string{"asked by  verdict-low, in system:authenticated\n"}},
		{"other", as("verdict-low"), csr.SignerClient, requestOf(t, "verdict-editor"), nil, 3,
			[]string{`CONCERN: "verdict-low" asks to be somebody else: "verdict-editor"`, "for another name than their own"}},
		{"groups", as("verdict-low"), csr.SignerClient, requestOf(t, "verdict-low", "verdict-viewers"), nil, 3, []string{`CONCERN: "verdict-low" asks for groups that they are not in`}},
		{"nobody-yet", as("verdict-low"), csr.SignerClient, requestOf(t, "verdict-new"), nil, 3, []string{`CONCERN: "verdict-low" asks to be somebody else: "verdict-new"`, "for another name than their own"}},
		{"groups-yet", as("verdict-low"), csr.SignerClient, requestOf(t, "verdict-low", "verdict-future"), nil, 3, []string{"asks for groups that they are not in"}},
		{"by-approver", as("verdict-approver"), csr.SignerClient, requestOf(t, "verdict-new"), nil, 0, []string{"for another name than their own"}},
		{"by-approver2", as("verdict-approver2"), csr.SignerClient, requestOf(t, "verdict-new"), nil, 0, []string{"for another name than their own"}},
		{"by-approver-other", as("verdict-approver"), csr.SignerKubeletClient, rawRequest(t, nil, org("system:nodes"), cn(node)), nil, 3, []string{"asks to be somebody else"}},
		{"by-half", as("verdict-half"), csr.SignerClient, requestOf(t, "verdict-new"), nil, 3, []string{"asks to be somebody else"}},
		{"by-root", as("verdict-root"), csr.SignerClient, requestOf(t, "verdict-editor"), nil, 0, []string{"asked by  verdict-root"}},
		{"reserved", admin, csr.SignerClient, rawRequest(t, nil, cn("system:kube-controller-manager")), nil, 3,
			[]string{"is one that Kubernetes keeps for its own parts", "CONCERN: they could"}},
		{"account", admin, csr.SignerClient, rawRequest(t, nil, cn("system:serviceaccount:kube-system:clusterrole-aggregation-controller")), nil, 3,
			[]string{"give roles rights that they do not have (escalate)", "to service account kube-system/clusterrole-aggregation-controller"}},
		{"node", as("system:bootstrap:abcdef", "system:bootstrappers"), csr.SignerKubeletClient, rawRequest(t, nil, org("system:nodes"), cn(node)), nil, 0,
			[]string{"DANGER: act as the node verdict-node", "an authorizer of this cluster does not say what it allows"}},
		{"node-thief", as("verdict-low"), csr.SignerKubeletClient, rawRequest(t, nil, org("system:nodes"), cn(node)), nil, 3, []string{"asks to be somebody else"}},
		{"node-again", as("system:bootstrap:abcdef", "system:bootstrappers"), csr.SignerKubeletClient, rawRequest(t, nil, org("system:nodes"), cn(there)), nil, 3,
			[]string{`CONCERN: there is a node "verdict-there" already: "system:bootstrap:abcdef", who asks with a bootstrap token, could act as it`}},
		{"node-renews", as(there, "system:nodes"), csr.SignerKubeletClient, rawRequest(t, nil, org("system:nodes"), cn(there)), nil, 0, []string{"DANGER: act as the node"}},
		{"node-path", as("system:bootstrap:abcdef", "system:bootstrappers"), csr.SignerKubeletClient, rawRequest(t, nil, org("system:nodes"), cn("system:node:../x")), nil, 0, nil},
		{"node-names", admin, csr.SignerKubeletClient, rawRequest(t, []string{"x"}, org("system:nodes"), cn(node)), nil, 3, []string{"CONCERN: it would fail: ", "alternative names"}},
		{"node-subject", admin, csr.SignerKubeletClient, rawRequest(t, nil, cn("worker")), nil, 3, []string{"CONCERN: it would fail: "}},
		{"serving", as(there, "system:nodes"), csr.SignerKubelet, servingRequest(t, there, "verdict-there", "Worker.example.com.", "10.9.9.9"), serving, 0,
			[]string{"nobody logs in to the API server", "names     verdict-there, Worker.example.com., 10.9.9.9"}},
		{"serving-strange", as(there, "system:nodes"), csr.SignerKubelet, servingRequest(t, there, "verdict-there", "db.example.com", "10.9.9.8"), serving, 3,
			[]string{`CONCERN: it asks for names that are no addresses of the node "verdict-there": db.example.com, 10.9.9.8`}},
		{"serving-posing", as(there, "system:nodes"), csr.SignerKubelet,
			servingRequest(t, there, "kubernetes.default.svc", "kubernetes", "localhost", "127.0.0.1", service, "verdict-there"), serving, 3,
			[]string{"CONCERN: its holder could pose as the API server: it asks for kubernetes.default.svc, kubernetes, localhost, 127.0.0.1, " + service}},
		{"serving-nobody", admin, csr.SignerKubelet, servingRequest(t, node, "worker"), serving, 3,
			[]string{`CONCERN: there is no node "verdict-node" whose addresses its names could be`}},
		{"serving-thief", as("verdict-low"), csr.SignerKubelet, servingRequest(t, there, "verdict-there"), serving, 3, []string{"asks to be somebody else"}},
		{"usages", admin, csr.SignerClient, requestOf(t, "verdict-usages"), []certificatesv1.KeyUsage{serverAuth}, 3, []string{`CONCERN: it would fail: kubernetes.io/kube-apiserver-client gives no certificate for the usage "server auth"`}},
		{"own-signer", as("verdict-low"), "example.com/web", requestOf(t, "web.example.com"), []certificatesv1.KeyUsage{serverAuth}, 0, []string{"nobody logs in to the API server", "whoever serves this signer"}},
		{"own-client", admin, "example.com/users", requestOf(t, "verdict-editor"), []certificatesv1.KeyUsage{clientAuth}, 0,
			[]string{"if the API server trusts this signer's CA for clients (--client-ca-file), which it does not unless", "DANGER: read secrets in verdict-dev"}},
		{"own-masters", admin, "example.com/users", rawRequest(t, nil, org("system:masters"), cn("verdict-x")), []certificatesv1.KeyUsage{clientAuth}, 3,
			[]string{"the group system:masters passes every authorizer"}},
		{"escape", admin, csr.SignerClient, rawRequest(t, nil, cn("verdict\x1b[2J\u202eevil")), nil, 3, []string{`would be  verdict\x1b[2J\u202eevil`, "fits in no header", "known from the bindings and roles"}},
		{"bidi", admin, csr.SignerClient, rawRequest(t, nil, cn("verdict-\u202eevil"), org("\u200bverdict")), nil, 3, []string{`would be  verdict-\u202eevil, in \u200bverdict`, "it is not sound"}},
		{"long", admin, csr.SignerClient, rawRequest(t, nil, cn("verdict-"+strings.Repeat("x", 300))), nil, 3, []string{"it is not sound"}},
		{"several", admin, csr.SignerClient, rawRequest(t, nil, cn("verdict-first"), cn("verdict-root")), nil, 3,
			[]string{"it has 2 common names, of which the last counts", "would be  verdict-root\n", "they could do everything"}},
		{"comma", admin, csr.SignerClient, requestOf(t, "verdict-x, in developers", "ops team", "verdict-y"), nil, 0,
			[]string{`would be  "verdict-x, in developers", in "ops team", verdict-y`}},
		{"nameless", admin, csr.SignerClient, rawRequest(t, nil, org("verdict-viewers")), nil, 3, []string{"it has no common name", "nothing, as it names nobody"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.usages == nil {
				test.usages = []certificatesv1.KeyUsage{signing, clientAuth}
			}
			name := "verdict-" + test.name
			post(t, test.as, name, test.signer, test.request, test.usages...)
			c := realCluster{userDir: userDir{t, t.TempDir()}, admin: c.admin}
			stdout, stderr := c.exits(test.code, c.admin, "csr", "review", name)
			contains(t, stdout, append(test.want, "Certificate signing request "+name+": pending, ")...)
			if stderr != "" {
				t.Error(stderr)
			}
			if strings.ContainsAny(stdout, "\x1b\u202e\u200b") {
				t.Errorf("it reaches the terminal: %q", stdout)
			}
		})
	}
}

// waitForRoles waits for the roles that kube-controller-manager fills when it
// has started.
func (c realCluster) waitForRoles() {
	c.t.Helper()
	for _, role := range []string{"view", "edit", "admin"} {
		c.asAdmin("wait clusterrole " + role + " --for=jsonpath={.rules[0].verbs} --timeout=60s")
	}
}

func TestCSRReviewJSON(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	c.asAdmin("create clusterrolebinding review-json --clusterrole=cluster-admin --user=review-json")
	post(t, client(t, c.admin), "review-json", csr.SignerClient, requestOf(t, "review-json", "ops"), signing, clientAuth)
	stdout, _ := c.exits(3, c.admin, "csr", "review", "review-json", "-o", "json")
	var got struct {
		APIVersion, Kind, State, CommonName, Key, LogsIn, Signer string
		AskedBy                                                  struct{ Username string }
		Groups, Usages, Concerns                                 []string
		ForOther, SignatureValid                                 bool
		User                                                     struct {
			Access struct {
				Everything bool
				Dangers    []struct {
					ID           string
					WholeCluster bool
				}
				Source string
			}
			Bindings []struct{ Role, To string }
		}
	}
	ok(t, json.Unmarshal([]byte(stdout), &got))
	if got.APIVersion != "pkictl.dev/v1" || got.Kind != "CertificateSigningRequestReview" || got.State != "pending" || got.CommonName != "review-json" ||
		got.Key != "ecdsa-p256" || got.LogsIn != "yes" || got.AskedBy.Username != "kube-admin" || !got.ForOther || !got.SignatureValid ||
		len(got.Groups) != 1 || len(got.Usages) != 2 || len(got.Concerns) != 1 || !got.User.Access.Everything ||
		got.User.Access.Dangers[0].ID != "everything" || !got.User.Access.Dangers[0].WholeCluster || got.User.Bindings[0].To != "user review-json" {
		t.Errorf("%+v\n%s", got, stdout)
	}
	yaml, _ := c.exits(3, c.admin, "csr", "review", "review-json", "-o", "yaml")
	contains(t, yaml, "kind: CertificateSigningRequestReview", "everything: true")
}

// TestCSRReviewLittleRights: who may not impersonate reads bindings, and who may
// not do that either is told that nobody knows.
func TestCSRReviewLittleRights(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	c.waitForRoles()
	for _, line := range []string{
		"create namespace little-dev",
		"create rolebinding little-e -n little-dev --clusterrole=edit --user=little-user",
		"create clusterrole little-csr --verb=get,list --resource=certificatesigningrequests.certificates.k8s.io",
		"create clusterrole little-rbac --verb=list --resource=clusterroles,roles,clusterrolebindings,rolebindings",
		"create clusterrole little-as --verb=impersonate --resource=users,groups",
		"create clusterrolebinding little-1 --clusterrole=little-csr --group=little",
		"create clusterrolebinding little-2 --clusterrole=little-rbac --user=little-reader",
		"create clusterrolebinding little-3 --clusterrole=little-as --user=little-actor",
	} {
		c.asAdmin(line)
	}
	post(t, client(t, c.admin), "little", csr.SignerClient, requestOf(t, "little-user"), signing, clientAuth)

	reader, _ := c.exits(0, c.issueUser("little-reader", "little"), "csr", "review", "little")
	contains(t, reader, "DANGER: read secrets in little-dev", "known from the bindings and roles that could be listed", "what other authorizers allow cannot be seen",
		"impersonating them is not allowed (it takes the verb impersonate on users and groups)")
	none, _ := c.exits(3, c.issueUser("little-none", "little"), "csr", "review", "little")
	contains(t, none, "CONCERN: what it would allow is not known: impersonating them is not allowed", "cannot list resource", "bindings  not known")
	actor, _ := c.exits(3, c.issueUser("little-actor", "little"), "csr", "review", "little", "--context", "little-actor@kubernetes")
	contains(t, actor, "CONCERN: what it would allow elsewhere than in default is not known: listing all bindings is not allowed", "may     nothing that was granted to them or a group of theirs (asked for the whole cluster and in default only)", "in which other namespaces they may do something is not known", "known from the API server's own answer")

	// Who asked is looked up in the bindings, where no SubjectAccessReview may be asked.
	for _, line := range []string{
		"create clusterrole little-app --verb=create,update --resource=certificatesigningrequests,certificatesigningrequests/approval",
		"create clusterrolebinding little-4 --clusterrole=little-app --user=little-approver",
		"create clusterrolebinding little-5 --clusterrole=little-sign --user=little-approver",
		"create clusterrolebinding little-6 --clusterrole=little-app --user=little-asker",
	} {
		c.asAdmin(line)
	}
	c.apply(signerRole("little-sign", csr.SignerClient))
	for asker, code := range map[string]int{"little-approver": 0, "little-asker": 3} {
		as, err := client(t, c.admin).As(asker, "system:authenticated")
		ok(t, err)
		post(t, as, asker, csr.SignerClient, requestOf(t, "little-user"), signing, clientAuth)
		c.exits(code, filepath.Join(c.dir, "little-reader.conf"), "csr", "review", asker)
	}
	post(t, client(t, c.admin), "little-serving", csr.SignerKubelet, servingRequest(t, "system:node:little", "little", "10.9.9.9"), signing, serverAuth)
	serving, _ := c.exits(3, filepath.Join(c.dir, "little-reader.conf"), "csr", "review", "little-serving")
	contains(t, serving, `CONCERN: whether its names are addresses of the node "little" is not known`, "CONCERN: whether its IP addresses are those of the API server is not known")
	_, stderr := c.exits(4, c.issueUser("little-nobody"), "csr", "review", "little")
	contains(t, stderr, "error: ", "cannot get resource", "hint: ")
}

// TestCSRExplainNoEscapes: a recipe has nothing in it that a terminal obeys.
func TestCSRExplainNoEscapes(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	post(t, client(t, c.admin), "review-escape", csr.SignerClient, rawRequest(t, nil, cn("escape\x1b[2J\u202eevil"), org("\x1b]0;gone\a")), signing, clientAuth)
	recipe, _ := c.exits(0, c.admin, "csr", "review", "review-escape", "--explain")
	contains(t, recipe, `--as "$(printf 'escape\033[2J`)
	if strings.ContainsAny(recipe, "\x1b\a\u202e") {
		t.Errorf("it reaches the terminal: %q", recipe)
	}
}

// TestCSRReviewOfPaths: verbs on paths are as those who granted them wrote them.
func TestCSRReviewOfPaths(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	c.apply(`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: review-paths}
rules: [{nonResourceURLs: [/metrics], verbs: ["get", "\e]0;gone\a\e[2J"]}]
`)
	c.asAdmin("create clusterrolebinding review-paths --clusterrole=review-paths --user=review-paths")
	post(t, client(t, c.admin), "review-paths", csr.SignerClient, requestOf(t, "review-paths"), signing, clientAuth)
	stdout, _ := c.exits(0, c.admin, "csr", "review", "review-paths")
	contains(t, stdout, `get and \x1b]0;gone\a\x1b[2J the paths /metrics`)
	if strings.ContainsAny(stdout, "\x1b\a") {
		t.Errorf("it reaches the terminal: %q", stdout)
	}
}

func TestCSRReviewExplainRuns(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	post(t, client(t, c.admin), "review-explain", csr.SignerClient, requestOf(t, "o'hara explain", "ops team"), signing, clientAuth)
	recipe, _ := c.exits(0, c.admin, "csr", "review", "review-explain", "--explain")
	path := filepath.Join(c.dir, "recipe.sh")
	ok(t, os.WriteFile(path, []byte("set -e\nPATH=$PATH:"+filepath.Dir(c.kubectl)+"\n"+recipe), 0o600))
	if !strings.Contains(recipe, "kubectl --kubeconfig "+c.admin+" get csr") || strings.Contains(recipe, "\nkubectl get") {
		t.Errorf("it speaks of another cluster:\n%s", recipe)
	}
	out := c.run("sh", path)
	contains(t, out, "username: kube-admin", "Subject: O = ops team, CN = o'hara explain", "selfsubjectrulesreviews", "clusterrolebinding")
}
