package lab

import (
	"path"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/pkictl/pkictl/internal/kubeclient"
)

// clusterDir below a workspace is the cluster directory of the lab's own cluster, see
// package cluster.
const clusterDir = "cluster"

// cluster returns a client of the lab's own cluster with the credential of its
// administrator, or says in found why there is none. It is never a credential of the
// learner's, and no plugin is run for it.
func (w *work) cluster() (client *kubeclient.Client, found string) {
	if w.admin != nil {
		return w.admin, ""
	}
	name := path.Join(clusterDir, "run", "admin.conf")
	data, found := w.learner.file(name, maxManifest)
	if found != "" {
		return nil, "the lab's cluster is not there: " + found
	}
	config, err := clientcmd.Load(data)
	if err == nil {
		client, err = kubeclient.FromConfig(*config, kubeclient.Options{})
	}
	switch {
	case err != nil:
		return nil, "the lab's cluster cannot be reached: " + err.Error()
	case client.Plugin() != "":
		return nil, name + " would run a program for a credential"
	}
	w.admin = client
	return client, ""
}
