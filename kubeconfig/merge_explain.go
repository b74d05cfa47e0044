package kubeconfig

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// ExplainMerge returns the kubectl commands, for a POSIX shell, that bring the
// same contexts into the same file. kubectl cannot rename clusters and users, so
// sed does that, in files of kubectl's own form; and it embeds the files that
// the source refers to.
func ExplainMerge(ctx context.Context, o MergeOptions) (string, error) {
	if o.Into = distinct(o.Into); len(o.Into) > 1 {
		return "", failure.New(failure.Usage, "name it with --into FILE", "there is a recipe for one kubeconfig only, and KUBECONFIG names %d", len(o.Into))
	}
	o.DryRun = true
	result, err := Merge(ctx, o)
	if err != nil {
		return "", err
	}
	into := o.Into[0]
	var b strings.Builder
	b.WriteString("umask 077\npart=$(mktemp -d)\n")
	if dir := filepath.Dir(into); !isDir(dir) {
		fmt.Fprintf(&b, "mkdir -p %s\n", shell.Quote(dir))
	}
	var parts []string
	for _, part := range partsOf(result) {
		file := fmt.Sprintf(`"$part"/%d`, len(parts)+1)
		parts = append(parts, fmt.Sprintf("$part/%d", len(parts)+1))
		part.explain(&b, file)
	}
	list := into + ":" + strings.Join(parts, ":")
	if o.Replace { // to kubectl the first to say a thing wins, here the last
		slices.Reverse(parts)
		list = strings.Join(parts, ":") + ":" + into
	}
	list = strings.ReplaceAll(shell.Quote(list), "$part", `'"$part"'`)
	fmt.Fprintf(&b, "KUBECONFIG=%s kubectl config view --raw >\"$part\"/all\n", list)
	fmt.Fprintf(&b, "cat \"$part\"/all >%s\nrm -r \"$part\"\n", shell.Quote(into))
	if result.CurrentContext == "" {
		fmt.Fprintf(&b, "kubectl config unset current-context --kubeconfig %s\n", shell.Quote(into))
	} else {
		fmt.Fprintf(&b, "kubectl config use-context --kubeconfig %s %s\n", shell.Quote(into), argument(result.CurrentContext))
	}
	return b.String(), nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// part is a context that comes over, with the names it, its cluster and its
// user have then.
type part struct {
	source         string
	was, name      string
	clusterWas, as string // its cluster
	userWas, user  string
}

// partsOf returns the contexts of a result, each with its cluster and user.
func partsOf(r *MergeResult) []part {
	var parts []part
	for _, e := range r.Entries {
		if e.Kind == contexts.noun {
			p := part{source: e.Source, was: e.Name, name: e.Name}
			if e.Was != "" {
				p.was = e.Was
			}
			if refs, ok := r.refs[e.Source+"\x00"+p.was]; ok {
				p.clusterWas, p.as, p.userWas, p.user = refs[0], refs[1], refs[2], refs[3]
			}
			parts = append(parts, p)
		}
	}
	return parts
}

// explain writes the commands that make a file of the context.
func (p part) explain(b *strings.Builder, file string) {
	fmt.Fprintf(b, "kubectl config view --raw --flatten --minify --kubeconfig %s --context=%s >%s\n", shell.Quote(p.source), shell.Quote(p.was), file)
	var edits []string
	if p.clusterWas != p.as {
		edits = append(edits, sedOf("clusters", "contexts", "  name: ", p.as), sedOf("contexts", "current-context", "    cluster: ", p.as))
	}
	if p.userWas != p.user {
		edits = append(edits, sedOf("users", "none", "- name: ", p.user), sedOf("contexts", "current-context", "    user: ", p.user))
	}
	if edits != nil {
		fmt.Fprintf(b, "sed %s %s >\"$part\"/renamed\nmv \"$part\"/renamed %s\n", strings.Join(edits, " "), file, file)
	}
	if p.was != p.name {
		fmt.Fprintf(b, "kubectl config rename-context --kubeconfig %s -- %s %s\n", file, shell.Quote(p.was), shell.Quote(p.name))
	}
}

// sedOf gives the lines with that beginning, between two keys, another text.
func sedOf(from, to, begin, text string) string {
	quoted, err := json.Marshal(text) // which is YAML, too
	if err != nil {
		quoted = []byte(text)
	}
	escaped := strings.NewReplacer(`\`, `\\`, "/", `\/`, "&", `\&`).Replace(string(quoted))
	return "-e " + shell.Quote(fmt.Sprintf("/^%s:/,/^%s:/s/^%s.*/%s%s/", from, to, begin, begin, escaped))
}
