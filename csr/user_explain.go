package csr

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/shell"
)

// ExplainAdd returns the openssl and kubectl commands, for a POSIX shell, that
// give the same as AddUser. Kubectl is how it is called, with its flags.
func ExplainAdd(c *kubeclient.Client, o AddOptions, kubectl string) (string, error) {
	if err := o.Check(); err != nil {
		return "", err
	}
	a := &adder{c: c, o: o}
	entry := a.entry()
	if err := entry.Validate(); err != nil {
		return "", err
	}
	base := strings.TrimSuffix(o.Out, ".conf")
	key, cert := base+".key", base+".crt"
	var b strings.Builder
	fmt.Fprintf(&b, "set -eu; umask 077\n# the CA by which the API server is known\n"+
		"%s config view --raw --flatten --minify -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}' | base64 -d > %s\n", kubectl, shell.Quote(base+".ca"))
	if o.Via == ViaCA {
		issue := ca.IssueOptions{Dir: o.Dir, CommonName: o.Name, Groups: o.Groups, Key: o.Key, Validity: fmt.Sprintf("%ds", o.Seconds), Out: base, Now: o.Now}
		recipe, err := ca.ExplainIssue(issue)
		if err != nil {
			return "", err
		}
		b.WriteString(recipe)
	} else {
		request := RequestOptions{CommonName: o.Name, Groups: o.Groups, Key: o.Key}
		recipe, err := CredentialRequest{RequestOptions: request, Lifetime: o.Lifetime(), Approve: true}.Explain(base, kubectl)
		if err != nil {
			return "", err
		}
		b.WriteString(recipe)
	}
	b.WriteString(entry.Explain(o.Out, base+".ca", cert, key))
	b.WriteString(o.explainBinding(kubectl))
	out := shell.Quote(o.Out)
	fmt.Fprintf(&b, "# what that user is, and may do\nkubectl --kubeconfig %s auth whoami\nkubectl --kubeconfig %s auth can-i --list\n", out, out)
	return b.String(), nil
}

// explainBinding makes the binding that the grant stands for.
func (o AddOptions) explainBinding(kubectl string) string {
	label := func(kind, name string) string {
		return fmt.Sprintf("%s label %s %s %s=%s --overwrite\n", kubectl, kind, name, LabelManagedBy, ManagedBy)
	}
	name, user := shell.Quote(bindingName(o.UserGrant)), shell.Quote(o.Name)
	switch {
	case o.ClusterRole != "":
		return fmt.Sprintf("# the role in the whole cluster\n%s create clusterrolebinding %s --clusterrole=%s --user=%s\n",
			kubectl, name, shell.Quote(o.ClusterRole), user) + label("clusterrolebinding", name)
	case o.Role != "":
		namespace := "-n " + shell.Quote(o.Namespace) + " "
		return fmt.Sprintf(`# the role in that namespace: its own, or else the cluster's
if %[1]s %[2]s get role %[3]s >/dev/null 2>&1; then kind=role; else kind=clusterrole; fi
%[1]s %[2]s create rolebinding %[4]s --$kind=%[3]s --user=%[5]s
`, kubectl, namespace, shell.Quote(o.Role), name, user) + label(namespace+"rolebinding", name)
	}
	return ""
}

// ExplainUsers returns the kubectl commands that show what ListUsers does, as
// far as they can: kubectl decodes no certificates. What they print is quoted.
func ExplainUsers(o ListUsersOptions, kubectl string) string {
	where, kinds, chosen, system := " --all-namespaces", "clusterrolebindings,rolebindings", `eq .kind "User"`, ` | grep -v '^"system:'`
	if o.Namespace != "" {
		where, kinds = " -n "+shell.Quote(o.Namespace), "rolebindings"
	}
	if o.Name != "" {
		chosen, system = `and (eq .kind "User") (eq .name `+strconv.QuoteToASCII(o.Name)+`)`, ""
	}
	template := `{{range .items}}{{$b := .}}{{range .subjects}}{{if ` + chosen + `}}{{printf "%q\t%s %q\t%s\t%q\n" .name $b.roleRef.kind $b.roleRef.name (or $b.metadata.namespace "-") $b.metadata.name}}{{end}}{{end}}{{end}}`
	return `# who is bound to what, where, by which binding
` + kubectl + ` get ` + kinds + where + ` -o go-template=` + shell.Quote(template) + system + `
# which certificates were issued within the last hour
` + kubectl + ` get csr --field-selector spec.signerName=` + SignerClient + ` -o go-template='{{range .items}}{{with .status.certificate}}{{.}}{{"\n"}}{{end}}{{end}}' |
while read -r certificate; do
  printf %s "$certificate" | base64 -d | openssl x509 -noout -subject -enddate -serial
done
# who was removed, and has a certificate that still works
` + kubectl + ` -n ` + removedNamespace + ` get configmap ` + removedName + ` --ignore-not-found -o 'jsonpath={.data}'
`
}

// Explain returns the kubectl commands that take the same away. Kubectl is how
// it is called, with its flags.
func (r *Removal) Explain(kubectl string) (string, error) {
	var b strings.Builder
	if !r.Remembered {
		recipe, err := r.removed().explain(kubectl)
		if err != nil {
			return "", err
		}
		b.WriteString(recipe)
	}
	for i, binding := range r.Bindings {
		if i == 0 {
			b.WriteString("# the bindings\n")
		}
		at := strings.ToLower(binding.Kind) + " " + shell.Quote(binding.Name)
		if binding.Namespace != "" {
			at += " -n " + shell.Quote(binding.Namespace)
		}
		if binding.Others == 0 && !binding.isDefault() {
			fmt.Fprintf(&b, "%s delete %s\n", kubectl, at)
			continue
		}
		patch, err := binding.patchWithout(r.Name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s patch %s --type=json -p %s\n", kubectl, at, shell.Quote(patch))
	}
	for i, name := range r.Requests {
		if i == 0 {
			b.WriteString("# the requests that are not issued yet\n")
		}
		fmt.Fprintf(&b, "%s delete csr %s\n", kubectl, shell.Quote(name))
	}
	for i, serial := range r.Revoked {
		if i == 0 {
			b.WriteString("# the inventory\n")
		}
		fmt.Fprintf(&b, "pkictl revoke 0x%s --dir %s --reason cessation-of-operation --yes\n", serial, shell.Quote(r.o.Dir))
	}
	as := " --as " + shell.Quote(r.Name)
	for _, group := range r.Groups {
		as += " --as-group " + shell.Quote(group)
	}
	if strings.ContainsFunc(r.Name+strings.Join(r.Groups, ""), unicode.IsControl) {
		b.WriteString("# what is left cannot be asked for: impersonation takes a header, which holds no control characters\n")
	} else {
		b.WriteString("# what is left\n" + kubectl + " auth can-i --list" + as + "\n")
	}
	return b.String(), nil
}

// patchWithout is a JSON patch (RFC 6902) that takes a user out of a binding,
// if it still is as it was read.
func (b UserBinding) patchWithout(user string) (string, error) {
	type operation struct {
		Op    string          `json:"op"`
		Path  string          `json:"path"`
		Value *rbacv1.Subject `json:"value,omitempty"`
	}
	var patch []operation
	for i, s := range slices.Backward(b.object.Subjects) { // the last first: the others keep their place
		if s.Kind == rbacv1.UserKind && s.Name == user {
			at := "/subjects/" + strconv.Itoa(i)
			patch = append(patch, operation{"test", at, &s}, operation{"remove", at, nil})
		}
	}
	data, err := json.Marshal(patch)
	return string(data), err
}

// explain has the cluster remember a removed user.
func (u RemovedUser) explain(kubectl string) (string, error) {
	text, err := u.value()
	if err != nil {
		return "", err
	}
	patch, err := json.Marshal(map[string]any{"data": map[string]string{removedKey(u.Name): text}})
	return fmt.Sprintf(`# what still works is remembered
%[1]s -n %[2]s get configmap %[3]s >/dev/null 2>&1 || %[1]s -n %[2]s create configmap %[3]s
%[1]s -n %[2]s label configmap %[3]s %[4]s=%[5]s --overwrite
%[1]s -n %[2]s patch configmap %[3]s --type=merge -p %[6]s
`, kubectl, removedNamespace, removedName, LabelManagedBy, ManagedBy, shell.Quote(string(patch))), err
}

// ExplainRenew returns the openssl and kubectl commands, for a POSIX shell,
// that give the same as RenewUser. Kubectl is how it is called, with its flags.
func ExplainRenew(c *kubeclient.Client, o RenewUserOptions, kubectl string) (string, error) {
	r := &renewer{c: c, o: o, path: o.File}
	if err := r.read(); err != nil {
		return "", err
	}
	g, err := r.grant()
	if err != nil {
		return "", err
	}
	wanted := &pending{}
	if err := r.request(wanted, g); err != nil {
		return "", err
	}
	object, _, err := NewObject(SubmitOptions{RequestPEM: []byte(wanted.RequestPEM), Signer: SignerClient, Expiration: g.Lifetime()})
	if err != nil {
		return "", err
	}
	names := r.requestOptions(g)
	request, err := names.request()
	if err != nil {
		return "", err
	}
	base := strings.TrimSuffix(o.File, ".conf") + "-renewed"
	key, cert, file := shell.Quote(base+".key"), shell.Quote(base+".crt"), shell.Quote(o.File)
	var b strings.Builder
	b.WriteString("set -eu; umask 077\n")
	if o.ReuseKey {
		fmt.Fprintf(&b, "# the old key\nkubectl config view --raw --kubeconfig %s --minify -o 'jsonpath={.users[0].user.client-key-data}' | base64 -d > %s\n", file, key)
	}
	b.WriteString(request.ExplainSign(base+".key", base+".csr", o.ReuseKey))
	b.WriteString(explainObtain(object, true, base, kubectl))
	fmt.Fprintf(&b, "# into the kubeconfig\nkubectl config set-credentials %s --kubeconfig %s --embed-certs --client-certificate %s --client-key %s\n",
		shell.Quote(r.user.name), file, cert, key)
	return b.String(), nil
}
