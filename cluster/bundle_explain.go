package cluster

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/shell"
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
		encrypt += " -r " + shell.Quote(key)
	}
	for _, path := range o.Files {
		encrypt += " -R " + shell.Quote(path)
	}
	if len(o.Keys)+len(o.Files) == 0 {
		encrypt += " -p" // asks on the terminal, as it takes a passphrase from nowhere else
	}
	guard := ""
	if out != "-" {
		encrypt += " -o " + shell.Quote(out)
		if !o.Force {
			guard = "test ! -e " + shell.Quote(out) + " && "
		}
	}
	var names []string
	for _, f := range bundle.Files {
		if f.Kind != BundleSettings && bundle.node != "" && !slices.Contains(names, "-C") {
			names = append(names, "-C", shell.Quote(bundle.node)) // from where tar is by then
		}
		names = append(names, f.Name)
	}
	return fmt.Sprintf(`# What the nodes of a control plane share, as an encrypted archive
%s(umask 077; tar -c -f - -C %s \
  %s | \
  %s)
`, guard, shell.Quote(o.Dir), strings.Join(names, " "), encrypt), nil
}

// ExplainRestore returns the commands, for a POSIX shell, that restore a bundle
// where there is nothing yet.
func ExplainRestore(o RestoreOptions) string {
	decrypt := "age -d"
	for _, path := range o.Files {
		decrypt += " -i " + shell.Quote(path)
	}
	if o.File != "-" {
		decrypt += " " + shell.Quote(o.File)
	}
	dir := shell.Quote(o.Dir)
	return fmt.Sprintf(`# What the nodes of a control plane share, out of an encrypted archive
(umask 077; mkdir -p %s && \
  %s | \
  tar -x -k -p -o -f - -C %s)
`, dir, decrypt, dir)
}
