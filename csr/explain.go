package csr

import (
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/shell"
)

// ExplainSubmit returns the kubectl commands, for a POSIX shell, that send the
// object. Kubectl is how it is called, with its flags.
func ExplainSubmit(object *Object, kubectl string, dryRun bool) (string, error) {
	manifest, err := yaml.Marshal(map[string]any{
		"apiVersion": object.APIVersion, "kind": object.Kind,
		"metadata": map[string]any{"name": object.Name, "labels": object.Labels, "annotations": object.Annotations},
		"spec":     object.Spec,
	})
	if err != nil {
		return "", err
	}
	flags := ""
	if dryRun {
		flags = " --dry-run=server"
	}
	return fmt.Sprintf("# certificate signing request %s\n%s create%s -f - <<'EOF'\n%sEOF\n", object.Name, kubectl, flags, manifest), nil
}

// ExplainWait returns the kubectl commands that wait for requests, and write the
// certificate of one to out, where that is not empty.
func ExplainWait(names []string, goal State, timeout time.Duration, out, kubectl string) string {
	condition := "condition=Approved"
	if goal != StateApproved {
		condition = "'jsonpath={.status.certificate}'"
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = shell.Quote(name)
	}
	lines := fmt.Sprintf("# it does not notice when one is denied or fails\n%s wait csr %s --for=%s --timeout=%s\n",
		kubectl, strings.Join(quoted, " "), condition, timeout)
	if out != "" {
		lines += fmt.Sprintf("%s get csr %s -o 'jsonpath={.status.certificate}' | base64 -d > %s\n", kubectl, quoted[0], shell.Quote(out))
	}
	return lines
}

// ExplainList returns the kubectl command that lists requests. It knows no
// states to choose by.
func ExplainList(o ListOptions, kubectl string) string {
	selectors := o.selectors()
	line := kubectl + " get csr --sort-by=.metadata.creationTimestamp"
	if selectors.LabelSelector != "" {
		line += " -l " + shell.Quote(selectors.LabelSelector)
	}
	if selectors.FieldSelector != "" {
		line += " --field-selector " + shell.Quote(selectors.FieldSelector)
	}
	if o.State != "" {
		line = "# kubectl cannot choose by state; it is in the last column\n" + line
	}
	return line + "\n"
}

// ExplainSign returns the commands, for a POSIX shell, that do what Sign does:
// kubectl as it is called, with its flags, and openssl.
func ExplainSign(object *Object, o SignOptions, kubectl, opensslPass string) (string, error) {
	if err := o.check(object); err != nil {
		return "", err
	}
	issue, _, err := o.issueOptions(object)
	if err != nil {
		return "", err
	}
	issue.OpenSSLPass = opensslPass
	recipe, err := ca.ExplainIssue(issue)
	if err != nil {
		return "", err
	}
	name, path := shell.Quote(object.Name), shell.Quote(issue.Out+".crt")
	return fmt.Sprintf(`%[1]s get csr %[2]s -o 'jsonpath={.spec.request}' | base64 -d | {
%[3]s}
%[1]s patch csr %[2]s --subresource=status --type=merge -p "{\"status\":{\"certificate\":\"$(base64 < %[4]s | tr -d '\n')\"}}"
`, kubectl, name, recipe, path), nil
}
