package cluster

import (
	"strings"

	"github.com/pkictl/pkictl/internal/shell"
)

// fix says what to do about a difference.
func (n *CheckedNode) fix(e Entry, d Difference) string {
	backup := "restore it from a backup"
	switch {
	case d.Field == FieldFile && strings.HasPrefix(d.Found, "a symbolic link") && strings.Contains(d.Found, ".staging"):
		return "a command is about to change it, or was killed: the next pkictl cluster init or renew completes it, or takes it back"
	case d.Field == FieldFile && d.Found == foundRequest:
		return "bring in what its CA has signed with: pkictl cluster finish" + DirFlag(n.Dir) + " --certs DIR"
	case n.isForeign(e):
		return "get it from who runs etcd"
	case e.Kind == KindCA && (d.Field == FieldEnd || d.Field == FieldBegin):
		return "a CA is not renewed in place: plan a new one, and trust in both meanwhile"
	case e.IsShared():
		return backup + ", or from another node of the control plane; all that relies on it has to be made anew otherwise"
	case d.Field == FieldFile && strings.HasPrefix(d.Found, "a symbolic link"):
		return "put the file itself in its place, which renewing replaces"
	case d.Field == FieldEnd:
		name := "pkictl cluster renew " + e.Name
		if e.Name == NameKubelet {
			name = "pkictl cluster renew --include-kubelet " + e.Name
		}
		return "renew it with: " + name + DirFlag(n.Dir)
	case d.Field == FieldBegin:
		return "check the clock of this machine, and of the one that made it"
	}
	hint := "make it anew with: " + n.repair()
	if n.node.assumed && e.Name == nameAPIServer {
		hint += "; with --service-cidr, --dns-domain and --san, where kubectl -n kube-system get configmap kubeadm-config -o yaml has them: nothing here says them"
	}
	return hint
}

// DirFlag is what names a cluster directory in a command line, quoted for a POSIX
// shell and after a space; empty for the one that commands take by themselves.
func DirFlag(dir string) string {
	if dir == DefaultDir {
		return ""
	}
	return " --dir " + shell.Quote(dir)
}

// repair is the command that replaces what is wrong.
func (n *CheckedNode) repair() string { return "pkictl cluster init --repair" + DirFlag(n.home) }
