package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// ownNames are what a cluster directory has beside those of its nodes.
var ownNames = []string{"pki", "run", SettingsFile}

// checkPlaces refuses to begin a second set of CAs where there is one: in a
// directory that was made for a single node when there are several, or beside
// those of nodes that are not named.
func checkPlaces(dir string, nodes []Node) error {
	var names []string
	for i, n := range nodes {
		names = append(names, n.Name)
		if len(nodes) > 1 && slices.Contains(ownNames, n.Name) {
			return failure.New(failure.Usage, "choose another name", "node name %q is taken by pkictl, where each node has a directory", n.Name)
		}
		for _, path := range []string{NodeDir(dir, nodes, i), PKIDir(NodeDir(dir, nodes, i)), filepath.Join(PKIDir(NodeDir(dir, nodes, i)), "etcd")} {
			if info, err := os.Stat(path); err == nil && !info.IsDir() {
				return failure.New(failure.Failed, "choose another place with --dir", "%q is not a directory", path)
			}
		}
	}
	isSingle := hasCA(dir)
	if len(nodes) > 1 && isSingle {
		name := nodeOf(dir, names[0])
		quoted := shell.Quote(filepath.Join(dir, name))
		return failure.New(failure.Failed,
			"with several each has a directory of its own: mkdir "+quoted+" && mv "+shell.Quote(PKIDir(dir))+" "+shell.Quote(dir)+"/*.conf "+quoted+"/, then run it again",
			"%q is the directory of one node, %s", dir, name)
	}
	others := slices.DeleteFunc(nodesIn(dir), func(name string) bool { return len(nodes) > 1 && slices.Contains(names, name) })
	if len(others) == 0 || isSingle {
		return nil
	}
	return failure.New(failure.Failed, "name all of its nodes with --node, or choose another place with --dir",
		"%q holds the directories of other nodes: %s", dir, strings.Join(others, ", "))
}

// hasCA says whether there is a CA in a cluster directory.
func hasCA(dir string) bool {
	_, err := os.Lstat(ca.CertPath(PKIDir(dir)))
	return err == nil
}

// nodesIn lists the directories of nodes in a cluster directory.
func nodesIn(dir string) []string {
	var names []string
	entries, _ := os.ReadDir(dir) // where there is none, there are no nodes
	for _, entry := range entries {
		if !slices.Contains(ownNames, entry.Name()) && hasCA(filepath.Join(dir, entry.Name())) {
			names = append(names, entry.Name())
		}
	}
	return names
}

// nodeOf returns the name of the node whose cluster directory it is, as its
// kubelet has it, or another one where that cannot be read.
func nodeOf(dir, otherwise string) string {
	entry, _ := EntryNamed(NameKubelet)
	cert := Find(dir, entry).Certificate
	if cert == nil {
		return otherwise
	}
	name, isNode := strings.CutPrefix(cert.Subject.CommonName, "system:node:")
	if !isNode || validation.IsDNS1123Subdomain(name) != nil {
		return otherwise
	}
	return name
}
