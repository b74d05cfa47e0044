package main

import (
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/kubeconfig"
)

// kubeconfigView is what may be shown of a kubeconfig.
type kubeconfigView struct {
	CurrentContext string        `json:"currentContext,omitempty"`
	Clusters       []clusterView `json:"clusters,omitempty"`
	Users          []userView    `json:"users,omitempty"`
	Contexts       []contextView `json:"contexts,omitempty"`
}

type clusterView struct {
	Name                  string           `json:"name"`
	Server                string           `json:"server,omitempty"`
	TLSServerName         string           `json:"tlsServerName,omitempty"`
	InsecureSkipTLSVerify bool             `json:"insecureSkipTLSVerify,omitempty"`
	ProxyURL              string           `json:"proxyURL,omitempty"`
	CA                    *kubeconfig.Part `json:"certificateAuthority,omitempty"`
}

type userView struct {
	Name        string           `json:"name"`
	Credentials []string         `json:"credentials,omitempty"` // what kinds there are, never their values
	Certificate *kubeconfig.Part `json:"clientCertificate,omitempty"`
	Key         *kubeconfig.Part `json:"clientKey,omitempty"`
	Checks      []ca.Check       `json:"checks,omitempty"`
}

type contextView struct {
	Name      string `json:"name"`
	Cluster   string `json:"cluster"`
	User      string `json:"user"`
	Namespace string `json:"namespace,omitempty"`
	Current   bool   `json:"current,omitempty"`
	Problem   string `json:"problem,omitempty"`
}

// kubeconfigReader shows a kubeconfig, and checks it with what it names.
type kubeconfigReader struct{ kubeconfig.Reader }

func newKubeconfigReader(src *source) kubeconfigReader {
	dir := ""
	if src.path != "" {
		dir = filepath.Dir(src.path)
	}
	return kubeconfigReader{kubeconfig.Reader{Config: src.config, Name: src.name, Dir: dir}}
}

func (r kubeconfigReader) view(now time.Time) *kubeconfigView {
	view := &kubeconfigView{CurrentContext: r.Config.CurrentContext}
	cas := map[string]*kubeconfig.Part{}
	for _, name := range slices.Sorted(maps.Keys(r.Config.Clusters)) {
		cluster := r.Config.Clusters[name]
		cas[name] = r.ClusterCA(cluster)
		view.Clusters = append(view.Clusters, clusterView{
			Name: name, Server: kubeclient.ShowURL(cluster.Server), TLSServerName: cluster.TLSServerName,
			InsecureSkipTLSVerify: cluster.InsecureSkipTLSVerify, ProxyURL: kubeclient.ShowURL(cluster.ProxyURL),
			CA: cas[name],
		})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Config.AuthInfos)) {
		user := r.Config.AuthInfos[name]
		shown := userView{
			Name: name, Credentials: kubeconfig.Credentials(user), Certificate: r.ClientCertificate(user), Key: r.ClientKey(user),
		}
		shown.Checks = r.checkUser(shown, cas, now)
		view.Users = append(view.Users, shown)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Config.Contexts)) {
		view.Contexts = append(view.Contexts, r.viewContext(name))
	}
	return view
}

// checkUser says whether a client certificate has its key, and whether the
// clusters that the user's contexts name would take it.
func (r kubeconfigReader) checkUser(user userView, cas map[string]*kubeconfig.Part, now time.Time) []ca.Check {
	if user.Certificate == nil {
		return nil
	}
	certs := ca.Certificates(user.Certificate.Items)
	if len(certs) == 0 {
		return []ca.Check{ca.SkippedCheck("key", "there is no readable certificate")}
	}
	checks := []ca.Check{kubeconfig.CheckKey(certs[0], user.Key)}
	for _, cluster := range r.clustersOf(user.Name) {
		check := ca.SkippedCheck("chain", "cluster "+cluster+" names no readable CA")
		if part := cas[cluster]; part != nil && len(ca.Certificates(part.Items)) > 0 {
			roots := ca.Roots{Name: "cluster " + cluster, Certificates: ca.Certificates(part.Items)}
			_, check = roots.Check(certs[0], certs[1:], now)
		}
		checks = append(checks, check)
	}
	return checks
}

// clustersOf returns the clusters that contexts join with the user.
func (r kubeconfigReader) clustersOf(user string) []string {
	var clusters []string
	for _, context := range r.Config.Contexts {
		if context.AuthInfo == user && r.Config.Clusters[context.Cluster] != nil {
			clusters = append(clusters, context.Cluster)
		}
	}
	slices.Sort(clusters)
	return slices.Compact(clusters)
}

func (r kubeconfigReader) viewContext(name string) contextView {
	context := r.Config.Contexts[name]
	view := contextView{
		Name: name, Cluster: context.Cluster, User: context.AuthInfo, Namespace: context.Namespace,
		Current: name == r.Config.CurrentContext,
	}
	switch {
	case r.Config.Clusters[context.Cluster] == nil:
		view.Problem = "there is no such cluster in this file"
	case r.Config.AuthInfos[context.AuthInfo] == nil:
		view.Problem = "there is no such user in this file"
	}
	return view
}
