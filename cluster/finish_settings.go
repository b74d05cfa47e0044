package cluster

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"k8s.io/client-go/tools/clientcmd/api"
)

// SettingsFrom reads off the kubeconfigs of a cluster directory what they say of
// its settings, for one without cluster.yaml: kubeadm certs generate-csr writes
// none. What they do not say is left empty.
func SettingsFrom(dir string) Settings {
	var s Settings
	node := NodeSettings{}
	if f := findNamed(dir, NameKubelet); f.Config != nil && f.Config.Contexts[f.Config.CurrentContext] != nil {
		node.Name, _ = strings.CutPrefix(f.Config.Contexts[f.Config.CurrentContext].AuthInfo, "system:node:")
	}
	local := findNamed(dir, "controller-manager.conf")
	if host, port, ok := serverOf(local.Cluster); ok {
		node.Address, s.Port = host, port
	}
	admin := findNamed(dir, NameAdmin)
	if host, port, ok := serverOf(admin.Cluster); ok && (host != node.Address || port != s.Port) {
		s.Endpoint = net.JoinHostPort(host, strconv.Itoa(port))
	}
	if admin.Config != nil && admin.Cluster != nil {
		s.Name = admin.Config.Contexts[admin.Config.CurrentContext].Cluster
	}
	if node != (NodeSettings{}) {
		s.Nodes = []NodeSettings{node}
	}
	return s
}

func findNamed(dir, name string) *Found {
	entry, _ := EntryNamed(name)
	return Find(dir, entry)
}

func serverOf(cluster *api.Cluster) (host string, port int, ok bool) {
	if cluster == nil {
		return "", 0, false
	}
	u, err := url.Parse(cluster.Server)
	if err != nil {
		return "", 0, false
	}
	port, err = strconv.Atoi(u.Port())
	return u.Hostname(), port, err == nil
}
