package csr

import (
	"github.com/pkictl/pkictl/internal/shell"
)

// ExplainReview returns the commands of kubectl and openssl that show what a
// review shows; kubectl is called as given, with its flags.
func ExplainReview(r *Review, kubectl string) string {
	name := shell.Quote(r.Name)
	text := "# who asked for what\n" +
		kubectl + " get csr " + name + " -o yaml\n" +
		kubectl + " get csr " + name + " -o jsonpath='{.spec.request}' | base64 -d | openssl req -noout -verify -text\n"
	if r.LogsIn != LogsIn && r.LogsIn != LogsInIf || r.CommonName == "" {
		return text
	}
	as := " --as " + shell.Quote(r.CommonName)
	for _, group := range r.Groups {
		as += " --as-group " + shell.Quote(group)
	}
	return text + "# what its certificate would allow, in the whole cluster (the first) and in a namespace\n" +
		kubectl + " auth can-i '*' '*' --all-namespaces" + as + " || true\n" +
		kubectl + " auth can-i --list --namespace default" + as + "\n" +
		"# what gives it to them\n" +
		kubectl + " get clusterrolebindings,rolebindings --all-namespaces -o wide\n"
}

// ExplainDecision returns the commands of kubectl that decide the same. kubectl
// writes a reason of its own.
func ExplainDecision(d Decision, names []string, kubectl string) string {
	text := "# kubectl writes a reason of its own, and decides what has the name by then\n"
	for _, name := range names {
		text += kubectl + " certificate " + d.verb() + " " + shell.Quote(name) + "\n"
	}
	return text
}
