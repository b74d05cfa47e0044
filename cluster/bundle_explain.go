package cluster

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/ca"
)

// ExplainBundle returns the commands, for a POSIX shell, that make the bundle
// MakeBundle makes. It reads and checks the cluster directory as that does.
func ExplainBundle(o BundleOptions) (string, error) {
	if _, _, err := o.resolve(); err != nil {
		return "", err
	}
	bundle, err := ReadBundle(o.Dir, o.Now)
	if err != nil {
		return "", err
	}
	out := o.Out
	if out == "" {
		out = bundle.FileName()
	}
	encrypt := "age"
	for _, key := range o.Keys {
		encrypt += " -r " + ca.ShellQuote(key)
	}
	for _, path := range o.Files {
		encrypt += " -R " + ca.ShellQuote(path)
	}
	if len(o.Keys)+len(o.Files) == 0 {
		encrypt += " -p" // asks on the terminal, as it takes a passphrase from nowhere else
	}
	guard := ""
	if out != "-" {
		encrypt += " -o " + ca.ShellQuote(out)
		if !o.Force {
			guard = "test ! -e " + ca.ShellQuote(out) + " && "
		}
	}
	var names []string
	for _, f := range bundle.Files {
		if f.Kind != BundleSettings && bundle.node != "" && !slices.Contains(names, "-C") {
			names = append(names, "-C", ca.ShellQuote(bundle.node)) // from where tar is by then
		}
		names = append(names, f.Name)
	}
	return fmt.Sprintf(`# What the nodes of a control plane share, as an encrypted archive
%s(umask 077; tar -c -f - -C %s \
  %s | \
  %s)
`, guard, ca.ShellQuote(o.Dir), strings.Join(names, " "), encrypt), nil
}

// ExplainRestore returns the commands, for a POSIX shell, that restore a bundle
// where there is nothing yet.
func ExplainRestore(o RestoreOptions) string {
	decrypt := "age -d"
	for _, path := range o.Files {
		decrypt += " -i " + ca.ShellQuote(path)
	}
	if o.File != "-" {
		decrypt += " " + ca.ShellQuote(o.File)
	}
	dir := ca.ShellQuote(o.Dir)
	return fmt.Sprintf(`# What the nodes of a control plane share, out of an encrypted archive
(umask 077; mkdir -p %s && \
  %s | \
  tar -x -k -p -o -f - -C %s)
`, dir, decrypt, dir)
}
