package kubeclient

import (
	"maps"
	"slices"

	"k8s.io/client-go/tools/clientcmd"
)

// Context is one of the contexts of kubeconfigs.
type Context struct {
	Name      string
	Cluster   string // names in the kubeconfig
	User      string
	Namespace string
	Server    string // what ShowURL may print; empty where the cluster is missing
	IsCurrent bool
}

// Contexts lists the contexts of the kubeconfigs as Connect reads them, the
// current one first, the others by name. Nothing is sent.
func Contexts(o Options) ([]Context, error) {
	raw, err := (&clientcmd.ClientConfigLoadingRules{ExplicitPath: o.File, Precedence: o.Paths}).Load()
	if err != nil {
		return nil, loadError(o)
	}
	var list []Context
	for _, name := range slices.Sorted(maps.Keys(raw.Contexts)) {
		entry := raw.Contexts[name]
		found := Context{Name: name, Cluster: entry.Cluster, User: entry.AuthInfo, Namespace: entry.Namespace, IsCurrent: name == raw.CurrentContext}
		if cluster := raw.Clusters[entry.Cluster]; cluster != nil {
			found.Server = ShowURL(cluster.Server)
		}
		if found.IsCurrent {
			list = slices.Insert(list, 0, found)
		} else {
			list = append(list, found)
		}
	}
	return list, nil
}
