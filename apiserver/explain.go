package apiserver

import (
	"fmt"
	"path"
	"strings"

	"github.com/pkictl/pkictl/internal/shell"
)

// Explain returns shell commands that write the same files below root, with a key
// of their own, and print the same flags. root is empty for the host itself.
func (p *Plan) Explain(root string) string {
	var b strings.Builder
	b.WriteString("set -e\numask 077 # no one else reads what is made\nset -C    # and no file is replaced\n")
	for _, file := range p.Files {
		at := path.Join(root, file.Path)
		switch {
		case file.Dir:
			fmt.Fprintf(&b, "# %s\nmkdir -p %s\n", file.Why, shell.Quote(at))
		case file.Data == nil:
			fmt.Fprintf(&b, "# %s has to be there: %s\n", file.Path, file.Why)
		default:
			fmt.Fprintf(&b, "# %s\nmkdir -p %s\n", file.Why, shell.Quote(path.Dir(at)))
			b.WriteString(explainFile(at, file))
		}
	}
	b.WriteString("# the flags, for the command of kube-apiserver\ncat <<'END'\n")
	for _, flag := range p.Set {
		b.WriteString(shell.Quote(flag.String()) + "\n")
	}
	b.WriteString("END\n")
	if len(p.Remove) > 0 {
		b.WriteString("# and these must not be there: --" + strings.Join(p.Remove, ", --") + "\n")
	}
	for _, v := range p.volumeLines() {
		b.WriteString("# in a pod, a volume at the same path: " + v + "\n")
	}
	return b.String()
}

// explainFile writes a file by a here document. The key of a configuration goes
// from the kernel to the file, past all command lines.
func explainFile(at string, file File) string {
	var b strings.Builder
	b.WriteString("{\n")
	open := false
	for line := range strings.Lines(string(file.Data)) {
		indent, _, isKey := strings.Cut(line, "secret: ")
		if isKey && file.Secret && strings.TrimSpace(indent) == "" {
			b.WriteString("END\n")
			fmt.Fprintf(&b, "  printf '%ssecret: '; head -c %d /dev/urandom | base64\n", indent, encryptionKeySize)
			open = false
			continue
		}
		if !open {
			b.WriteString("  cat <<'END'\n")
			open = true
		}
		b.WriteString(line)
	}
	if open {
		b.WriteString("END\n")
	}
	return b.String() + "} > " + shell.Quote(at) + "\n"
}
