package csr

import (
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// ExplainAdd returns the openssl and kubectl commands, for a POSIX shell, that
// give the same as AddUser. They use the kubeconfig that kubectl uses.
func ExplainAdd(c *kubeclient.Client, o AddOptions) (string, error) {
	if err := o.Check(); err != nil {
		return "", err
	}
	a := &adder{c: c, o: o}
	entry := a.entry()
	if err := entry.Validate(); err != nil {
		return "", err
	}
	base := strings.TrimSuffix(o.Out, ".conf")
	context := "--context " + ca.ShellQuote(c.Context)
	var b strings.Builder
	fmt.Fprintf(&b, "set -eu; umask 077\n# the CA by which the API server is known\n"+
		"kubectl config view --raw --flatten --minify %s -o jsonpath='{.clusters[0].cluster.certificate-authority-data}' | base64 -d > %s\n", context, ca.ShellQuote(base+".ca"))
	key, cert := base+".key", base+".crt"
	if o.Via == ViaCA {
		issue := ca.IssueOptions{Dir: o.Dir, CommonName: o.Name, Groups: o.Groups, Key: o.Key, Validity: fmt.Sprintf("%ds", o.Seconds), Out: base, Now: o.Now}
		recipe, err := ca.ExplainIssue(issue)
		if err != nil {
			return "", err
		}
		b.WriteString(recipe)
	} else {
		recipe, err := o.explainRequest(key, base+".csr", cert, context)
		if err != nil {
			return "", err
		}
		b.WriteString(recipe)
	}
	b.WriteString(entry.Explain(o.Out, base+".ca", cert, key))
	b.WriteString(o.explainBinding(context))
	fmt.Fprintf(&b, "# what that user is, and may do\nkubectl --kubeconfig %s auth whoami\nkubectl --kubeconfig %s auth can-i --list\n", ca.ShellQuote(o.Out), ca.ShellQuote(o.Out))
	return b.String(), nil
}

// explainRequest is the way by the certificates API.
func (o AddOptions) explainRequest(key, request, cert, context string) (string, error) {
	kind, err := ca.ParseKeyKind(o.Key)
	if err != nil {
		return "", err
	}
	subject := ""
	for _, group := range o.Groups {
		subject += "/O=" + escapeSubject(group)
	}
	subject += "/CN=" + escapeSubject(o.Name)
	usages := []string{digitalSignature, clientAuth}
	if strings.HasPrefix(string(kind), "rsa-") {
		usages = slices.Insert(usages, 1, keyEncipherment)
	}
	object := "pkictl-explain-$(openssl req -in " + ca.ShellQuote(request) + " -outform DER | openssl dgst -sha256 -r | cut -c 1-12)"
	var b strings.Builder
	fmt.Fprintf(&b, "# a key, and a request for it\nopenssl genpkey %s -out %s\nopenssl req -new -utf8 -key %s -subj %s -out %s\n",
		genpkey(kind), ca.ShellQuote(key), ca.ShellQuote(key), ca.ShellQuote(subject), ca.ShellQuote(request))
	fmt.Fprintf(&b, `# sent to the certificates API, approved, and waited for
name="%[1]s"
kubectl %[2]s apply -f - <<END
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: $name, labels: {%[3]s: %[4]s}}
spec:
  request: $(base64 < %[5]s | tr -d '\n')
  signerName: %[6]s
  expirationSeconds: %[7]d
  usages: [%[8]s]
END
kubectl %[2]s certificate approve "$name"
kubectl %[2]s wait --for=jsonpath='{.status.certificate}' --timeout=60s csr "$name"
kubectl %[2]s get csr "$name" -o jsonpath='{.status.certificate}' | base64 -d > %[9]s
`, object, context, LabelManagedBy, ManagedBy, ca.ShellQuote(request), certificatesv1.KubeAPIServerClientSignerName, o.Seconds, strings.Join(usages, ", "), ca.ShellQuote(cert))
	return b.String(), nil
}

func genpkey(kind ca.KeyKind) string {
	switch kind {
	case ca.ECDSAP384:
		return "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"
	case ca.Ed25519:
		return "-algorithm ed25519"
	case ca.RSA2048, ca.RSA3072, ca.RSA4096:
		return "-algorithm RSA -pkeyopt rsa_keygen_bits:" + strings.TrimPrefix(string(kind), "rsa-")
	}
	return "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"
}

// explainBinding makes the binding that the grant stands for.
func (o AddOptions) explainBinding(context string) string {
	label := func(kind, name string) string {
		return fmt.Sprintf("kubectl %s label %s %s %s=%s --overwrite\n", context, kind, name, LabelManagedBy, ManagedBy)
	}
	name := ca.ShellQuote(bindingName(o.UserGrant))
	switch {
	case o.ClusterRole != "":
		return fmt.Sprintf("# the role in the whole cluster\nkubectl %s create clusterrolebinding %s --clusterrole=%s --user=%s\n",
			context, name, ca.ShellQuote(o.ClusterRole), ca.ShellQuote(o.Name)) + label("clusterrolebinding", name)
	case o.Role != "":
		namespace := "-n " + ca.ShellQuote(o.Namespace) + " "
		return fmt.Sprintf(`# the role in that namespace: its own, or else the cluster's
if kubectl %[1]s %[2]s get role %[3]s >/dev/null 2>&1; then kind=role; else kind=clusterrole; fi
kubectl %[1]s %[2]s create rolebinding %[4]s --$kind=%[3]s --user=%[5]s
`, context, namespace, ca.ShellQuote(o.Role), name, ca.ShellQuote(o.Name)) + label(namespace+"rolebinding", name)
	}
	return ""
}

// escapeSubject escapes a value for the -subj of openssl.
func escapeSubject(value string) string {
	return strings.NewReplacer(`\`, `\\`, `/`, `\/`, `+`, `\+`).Replace(value)
}

// ExplainUsers returns the kubectl commands that show what ListUsers does, as
// far as they can: kubectl decodes no certificates.
func ExplainUsers(name string) string {
	filter := `.subjects[]? | select(.kind == "User" and (.name | startswith("system:") | not))`
	if name != "" {
		filter = `.subjects[]? | select(.kind == "User" and .name == "` + name + `")`
	}
	return `# who is bound to what
kubectl get clusterrolebindings,rolebindings --all-namespaces -o json |
  jq -r '.items[] | . as $b | ` + filter + ` | [.name, $b.roleRef.kind, $b.roleRef.name, $b.metadata.namespace // "-", $b.metadata.name] | @tsv'
# which certificates were issued within the last hour
for name in $(kubectl get csr --field-selector spec.signerName=kubernetes.io/kube-apiserver-client -o name); do
  kubectl get "$name" -o jsonpath='{.status.certificate}' | base64 -d | openssl x509 -noout -subject -enddate -serial
done
`
}

// Explain returns the kubectl commands that take the same away.
func (r *Removal) Explain() string {
	var b strings.Builder
	b.WriteString("# the bindings\n")
	for _, binding := range r.Bindings {
		at := strings.ToLower(binding.Kind) + " " + ca.ShellQuote(binding.Name)
		if binding.Namespace != "" {
			at += " -n " + ca.ShellQuote(binding.Namespace)
		}
		if binding.Others == 0 {
			fmt.Fprintf(&b, "kubectl delete %s\n", at)
		} else {
			fmt.Fprintf(&b, "kubectl get %s -o json | jq 'del(.subjects[] | select(.kind == \"User\" and .name == \"%s\"))' | kubectl replace -f -\n", at, r.Name)
		}
	}
	for _, name := range r.Requests {
		fmt.Fprintf(&b, "kubectl delete csr %s\n", ca.ShellQuote(name))
	}
	as := "--as " + ca.ShellQuote(r.Name)
	for _, group := range r.Groups {
		as += " --as-group " + ca.ShellQuote(group)
	}
	fmt.Fprintf(&b, "# what is left\nkubectl auth can-i --list %s\n", as)
	return b.String()
}

// ExplainRenew returns the openssl and kubectl commands, for a POSIX shell,
// that give the same as RenewUser.
func ExplainRenew(c *kubeclient.Client, o RenewUserOptions) (string, error) {
	r := &renewer{c: c, o: o, path: o.File}
	if err := r.read(); err != nil {
		return "", err
	}
	g, err := r.grant()
	if err != nil {
		return "", err
	}
	base := strings.TrimSuffix(o.File, ".conf") + "-renewed"
	key, cert := base+".key", base+".crt"
	recipe, err := AddOptions{UserGrant: g}.explainRequest(key, base+".csr", cert, "--context "+ca.ShellQuote(c.Context))
	if err != nil {
		return "", err
	}
	if o.ReuseKey { // the key is in the kubeconfig
		_, rest, _ := strings.Cut(recipe, "openssl req")
		recipe = fmt.Sprintf("# the old key, and a request for it\nkubectl config view --raw --kubeconfig %s --minify -o jsonpath='{.users[0].user.client-key-data}' | base64 -d > %s\nopenssl req", ca.ShellQuote(o.File), ca.ShellQuote(key)) + rest
	}
	return "set -eu; umask 077\n" + recipe + fmt.Sprintf("# into the kubeconfig\nkubectl config set-credentials %s --kubeconfig %s --embed-certs --client-certificate %s --client-key %s\n",
		ca.ShellQuote(r.user.name), ca.ShellQuote(o.File), ca.ShellQuote(cert), ca.ShellQuote(key)), nil
}
