package main

import (
	"cmp"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
)

// kubeconfigView is what may be shown of a kubeconfig.
type kubeconfigView struct {
	CurrentContext string        `json:"currentContext,omitempty"`
	Clusters       []clusterView `json:"clusters,omitempty"`
	Users          []userView    `json:"users,omitempty"`
	Contexts       []contextView `json:"contexts,omitempty"`
}

type clusterView struct {
	Name                  string          `json:"name"`
	Server                string          `json:"server,omitempty"`
	TLSServerName         string          `json:"tlsServerName,omitempty"`
	InsecureSkipTLSVerify bool            `json:"insecureSkipTLSVerify,omitempty"`
	ProxyURL              string          `json:"proxyURL,omitempty"`
	CA                    *kubeconfigPart `json:"certificateAuthority,omitempty"`
}

type userView struct {
	Name        string          `json:"name"`
	Credentials []string        `json:"credentials,omitempty"` // what kinds there are, never their values
	Certificate *kubeconfigPart `json:"clientCertificate,omitempty"`
	Key         *kubeconfigPart `json:"clientKey,omitempty"`
	Checks      []ca.Check      `json:"checks,omitempty"`
}

type contextView struct {
	Name      string `json:"name"`
	Cluster   string `json:"cluster"`
	User      string `json:"user"`
	Namespace string `json:"namespace,omitempty"`
	Current   bool   `json:"current,omitempty"`
	Problem   string `json:"problem,omitempty"`
}

// kubeconfigPart is certificates or a key in a kubeconfig, or in a file that
// it names.
type kubeconfigPart struct {
	File    string    `json:"file,omitempty"` // empty: embedded
	Items   []ca.Item `json:"items,omitempty"`
	Problem string    `json:"problem,omitempty"` // why there are no items

	err error
}

// where says where the part is.
func (p *kubeconfigPart) where() string { return cmp.Or(p.File, "embedded") }

// kubeconfigReader reads the parts of a kubeconfig.
type kubeconfigReader struct {
	config *api.Config
	name   string
	dir    string // what paths in it are relative to
}

func newKubeconfigReader(src *source) kubeconfigReader {
	dir := ""
	if src.path != "" {
		dir = filepath.Dir(src.path)
	}
	return kubeconfigReader{config: src.config, name: src.name, dir: dir}
}

// part reads data, or else a file, which is the order of client-go. It returns
// nil where there is neither.
func (r kubeconfigReader) part(what string, data []byte, file string) *kubeconfigPart {
	part := &kubeconfigPart{}
	name := what + " in " + r.name
	switch {
	case len(data) > 0:
	case file == "":
		return nil
	default:
		part.File = file
		if !filepath.IsAbs(file) {
			part.File = filepath.Join(r.dir, file)
		}
		name = part.File
		if data, part.err = store.Read(part.File, store.MaxPEM); part.err != nil {
			part.Problem = part.err.Error()
			return part
		}
	}
	if part.Items, part.err = ca.Decode(data, name); part.err != nil {
		part.Problem = part.err.Error()
	}
	return part
}

func (r kubeconfigReader) clusterCA(cluster *api.Cluster) *kubeconfigPart {
	return r.part("certificate-authority-data", cluster.CertificateAuthorityData, cluster.CertificateAuthority)
}

func (r kubeconfigReader) userCertificate(user *api.AuthInfo) *kubeconfigPart {
	return r.part("client-certificate-data", user.ClientCertificateData, user.ClientCertificate)
}

func (r kubeconfigReader) userKey(user *api.AuthInfo) *kubeconfigPart {
	return r.part("client-key-data", user.ClientKeyData, user.ClientKey)
}

func (r kubeconfigReader) view(now time.Time) *kubeconfigView {
	view := &kubeconfigView{CurrentContext: r.config.CurrentContext}
	cas := map[string]*kubeconfigPart{}
	for _, name := range slices.Sorted(maps.Keys(r.config.Clusters)) {
		cluster := r.config.Clusters[name]
		cas[name] = r.clusterCA(cluster)
		view.Clusters = append(view.Clusters, clusterView{
			Name: name, Server: withoutPassword(cluster.Server), TLSServerName: cluster.TLSServerName,
			InsecureSkipTLSVerify: cluster.InsecureSkipTLSVerify, ProxyURL: withoutPassword(cluster.ProxyURL),
			CA: cas[name],
		})
	}
	for _, name := range slices.Sorted(maps.Keys(r.config.AuthInfos)) {
		user := r.config.AuthInfos[name]
		shown := userView{
			Name: name, Credentials: credentials(user), Certificate: r.userCertificate(user), Key: r.userKey(user),
		}
		shown.Checks = r.checkUser(shown, cas, now)
		view.Users = append(view.Users, shown)
	}
	for _, name := range slices.Sorted(maps.Keys(r.config.Contexts)) {
		view.Contexts = append(view.Contexts, r.viewContext(name))
	}
	return view
}

// withoutPassword shows a URL, which may hold the password of a proxy.
func withoutPassword(text string) string {
	parsed, err := url.Parse(text)
	if err != nil {
		return "(not a URL)"
	}
	return parsed.Redacted()
}

// credentials says what a user logs in with. The arguments and variables of a
// plugin are left out: they may hold secrets.
func credentials(user *api.AuthInfo) []string {
	var kinds []string
	add := func(has bool, kind string) {
		if has {
			kinds = append(kinds, kind)
		}
	}
	add(user.ClientCertificate != "" || len(user.ClientCertificateData) > 0, "client certificate")
	add(user.ClientKey != "" || len(user.ClientKeyData) > 0, "client key")
	add(user.Token != "", "token (not shown)")
	add(user.TokenFile != "", "token file "+user.TokenFile)
	add(user.Username != "", "user name "+user.Username)
	add(user.Password != "", "password (not shown)")
	if user.Exec != nil {
		add(true, "exec plugin "+user.Exec.Command)
	}
	if user.AuthProvider != nil {
		add(true, "auth provider "+user.AuthProvider.Name)
	}
	add(user.Impersonate != "", "impersonation of "+user.Impersonate)
	return kinds
}

// checkUser says whether a client certificate has its key, and whether the
// clusters that the user's contexts name would take it.
func (r kubeconfigReader) checkUser(user userView, cas map[string]*kubeconfigPart, now time.Time) []ca.Check {
	if user.Certificate == nil {
		return nil
	}
	certs := ca.Certificates(user.Certificate.Items)
	if len(certs) == 0 {
		return []ca.Check{ca.SkippedCheck("key", "there is no readable certificate")}
	}
	checks := []ca.Check{r.checkKey(user)}
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

func (r kubeconfigReader) checkKey(user userView) ca.Check {
	if user.Key == nil {
		return ca.FailedCheck("key", "the key of the client certificate", "none", "add client-key or client-key-data to the user")
	}
	key := ca.PrivateKey(user.Key.Items)
	switch {
	case key == nil:
		return ca.SkippedCheck("key", "there is no readable key")
	case key.Encrypted:
		return ca.SkippedCheck("key", "the key is encrypted")
	case key.Public == nil:
		return ca.SkippedCheck("key", "the key is in a PKCS#11 token")
	}
	cert := ca.Certificates(user.Certificate.Items)[0]
	return ca.CheckKey(cert, "the client certificate", key.Public, cmp.Or(user.Key.File, "the kubeconfig"))
}

// clustersOf returns the clusters that contexts join with the user.
func (r kubeconfigReader) clustersOf(user string) []string {
	var clusters []string
	for _, context := range r.config.Contexts {
		if context.AuthInfo == user && r.config.Clusters[context.Cluster] != nil {
			clusters = append(clusters, context.Cluster)
		}
	}
	slices.Sort(clusters)
	return slices.Compact(clusters)
}

func (r kubeconfigReader) viewContext(name string) contextView {
	context := r.config.Contexts[name]
	view := contextView{
		Name: name, Cluster: context.Cluster, User: context.AuthInfo, Namespace: context.Namespace,
		Current: name == r.config.CurrentContext,
	}
	switch {
	case r.config.Clusters[context.Cluster] == nil:
		view.Problem = "there is no such cluster in this file"
	case r.config.AuthInfos[context.AuthInfo] == nil:
		view.Problem = "there is no such user in this file"
	}
	return view
}
