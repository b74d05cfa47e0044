package apiserver

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/pkictl/pkictl/internal/shell"
)

// Explain returns the shell commands that do the same by hand. There is no key in
// them: one that is new is made by the commands.
func (p *Patch) Explain() string {
	var b strings.Builder
	b.WriteString("# As root, on the node of the control plane.\nset -eu\numask 077\n")
	for _, file := range p.Files {
		explainPatchFile(&b, file)
	}
	if !p.ChangesManifest() {
		return b.String()
	}
	prefix, ext := backupParts(p.Path)
	diff := udiff.Unified(p.Path, p.Path, string(p.Before), string(p.After))
	manifest, backups := shell.Quote(p.Path), shell.Quote(p.Backups)
	beside := shell.Quote(filepath.Join(filepath.Dir(p.Path), "."+filepath.Base(p.Path)+".new"))
	fmt.Fprintf(&b, `
# A backup, never in the directory of the manifest: the kubelet runs every file there.
mkdir -p %[2]s
cp -p %[1]s %[2]s/%[3]s"$(date -u +%%Y%%m%%dT%%H%%M%%SZ)"%[4]s

# The new manifest, beside the old one under a name with a dot, which the kubelet
# passes over; then it takes the old one's place in one step.
cp -p %[1]s %[5]s
patch --binary --no-backup-if-mismatch --quiet %[5]s <<'END-OF-DIFF'
%[6]sEND-OF-DIFF
sync %[5]s
mv %[5]s %[1]s

# The kubelet starts kube-apiserver anew. Watch it come back:
#   crictl ps --name kube-apiserver
#   kubectl get --raw /readyz
# If it does not: crictl logs of the container that ended, and the backup goes back.
`, manifest, backups, shell.Quote(prefix), shell.Quote(ext), beside, diff)
	return b.String()
}

// Diff returns the changes as a unified diff: of the manifest, and of files that
// are replaced and hold no key.
func (p *Patch) Diff() string {
	var b strings.Builder
	for _, file := range p.Files {
		if file.Old != nil && !file.Secret {
			b.WriteString(udiff.Unified(file.Path, file.Path, string(file.Old), string(file.Data)))
		}
	}
	b.WriteString(udiff.Unified(p.Path, p.Path, string(p.Before), string(p.After)))
	return b.String()
}

func explainPatchFile(b *strings.Builder, f PatchFile) {
	path := shell.Quote(f.Path)
	fmt.Fprintf(b, "\n# %s\n", f.Why)
	if f.Dir {
		fmt.Fprintf(b, "mkdir -p -m %04o %s\n", f.Mode, path)
		return
	}
	fmt.Fprintf(b, "mkdir -p %s\n", shell.Quote(filepath.Dir(f.Path)))
	b.WriteString(explainFile(f.Path, f.File))
	fmt.Fprintf(b, "chmod %04o %s\n", f.Mode, path)
}
