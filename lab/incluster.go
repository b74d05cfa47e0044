package lab

import (
	"context"
	"net/url"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/internal/kubeclient"
)

// cluster returns a client of the lab's own cluster with the credential of the
// grader, or says in found why there is none. It is never a credential of the
// learner's, no plugin is run for it, and it calls nothing but this machine.
//
// Of a node's API server it waits until it is up, or has ended.
func (w *work) cluster(ctx context.Context) (client *kubeclient.Client, found string) {
	if w.admin != nil || w.adminDown != "" {
		return w.admin, w.adminDown
	}
	name := clusterFile(graderFile)
	data, found := w.learner.file(name, maxManifest)
	if found != "" {
		return nil, "the lab's cluster is not there: " + found
	}
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil, "the lab's cluster cannot be reached: " + name + " is damaged; reset the lab"
	}
	if !isOwn(config) {
		return nil, name + " was changed: it is for pkictl alone; reset the lab"
	}
	if client, err = kubeclient.FromConfig(*config, kubeclient.Options{Agent: agent}); err != nil {
		return nil, "the lab's cluster cannot be reached: " + err.Error()
	}
	if w.lab.cluster != nil && w.lab.cluster.staticPods {
		if w.adminDown = w.awaitNode(ctx, client); w.adminDown != "" {
			return nil, w.adminDown
		}
	}
	w.admin = client
	return client, ""
}

// isOwn says whether a kubeconfig is one that pkictl has written for a lab's cluster:
// for an API server on this machine, which is verified, and with nothing in it that
// would read another file or run a program.
func isOwn(config *api.Config) bool {
	chosen := config.Contexts[config.CurrentContext]
	if chosen == nil {
		return false
	}
	server, user := config.Clusters[chosen.Cluster], config.AuthInfos[chosen.AuthInfo]
	if server == nil || user == nil || len(config.Clusters) != 1 || len(config.AuthInfos) != 1 {
		return false
	}
	at, err := url.Parse(server.Server)
	if err != nil || at.Scheme != "https" || at.Hostname() != "127.0.0.1" || at.User != nil {
		return false
	}
	return !server.InsecureSkipTLSVerify && server.ProxyURL == "" && server.CertificateAuthority == "" && len(server.CertificateAuthorityData) > 0 &&
		user.ClientCertificate == "" && user.ClientKey == "" && user.TokenFile == "" && user.Exec == nil && user.AuthProvider == nil
}
