package lab

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// kubeContext is a context of a learner's kubeconfig, with what files of the
// workspace hold in place of their names. No program that it names is run, and no
// server called but that of the lab.
type kubeContext struct {
	file    string
	config  *api.Config
	name    string
	context *api.Context
	cluster *api.Cluster
	user    *api.AuthInfo
	files   []string // that it names, as they stand there
}

// kubeconfig reads a learner's kubeconfig as kubectl does.
func (w *work) kubeconfig(file string) (*api.Config, string) {
	data, found := w.learner.file(file, maxManifest)
	if found != "" {
		return nil, found
	}
	config, err := kubeconfig.Parse(data, file)
	if err != nil {
		return nil, err.Error()
	}
	return config, ""
}

// kubeContext returns a context of a learner's kubeconfig, the current one where the
// name is empty; or says what it lacks.
func (w *work) kubeContext(file, name string) (*kubeContext, string) {
	config, found := w.kubeconfig(file)
	if found != "" {
		return nil, found
	}
	if name == "" {
		name = config.CurrentContext
	}
	c := &kubeContext{file: file, config: config, name: name, context: config.Contexts[name]}
	switch {
	case name == "":
		return nil, file + " has no current-context"
	case c.context == nil:
		return nil, fmt.Sprintf("%s has no context %q", file, name)
	case config.Clusters[c.context.Cluster] == nil:
		return nil, fmt.Sprintf("context %q names the cluster %q, which is not in %s", name, c.context.Cluster, file)
	case config.AuthInfos[c.context.AuthInfo] == nil:
		return nil, fmt.Sprintf("context %q names the user %q, which is not in %s", name, c.context.AuthInfo, file)
	}
	c.cluster, c.user = config.Clusters[c.context.Cluster].DeepCopy(), config.AuthInfos[c.context.AuthInfo].DeepCopy()
	for _, part := range []struct {
		data *[]byte
		name string
	}{
		{&c.cluster.CertificateAuthorityData, c.cluster.CertificateAuthority},
		{&c.user.ClientCertificateData, c.user.ClientCertificate},
		{&c.user.ClientKeyData, c.user.ClientKey},
	} {
		if len(*part.data) > 0 || part.name == "" { // data goes before, as in client-go
			continue
		}
		c.files = append(c.files, part.name)
		if *part.data, found = w.namedFile(file, part.name); found != "" {
			return nil, found
		}
	}
	c.cluster.CertificateAuthority, c.user.ClientCertificate, c.user.ClientKey = "", "", ""
	return c, ""
}

// namedFile reads a file that a kubeconfig names: relative to itself, or absolute, but
// below the workspace.
func (w *work) namedFile(kubeconfig, name string) ([]byte, string) {
	below := path.Join(path.Dir(kubeconfig), filepath.ToSlash(name))
	if filepath.IsAbs(name) {
		rel, err := filepath.Rel(w.learner.dir(), name)
		if err != nil {
			return nil, fmt.Sprintf("%s names the file %s, which is outside of the workspace", kubeconfig, name)
		}
		below = filepath.ToSlash(rel)
	}
	if !isFileName(below) {
		return nil, fmt.Sprintf("%s names the file %s, which is outside of the workspace", kubeconfig, name)
	}
	return w.learner.file(below, store.MaxPEM)
}

// loginTime bounds a call of the lab's API server for one check.
const loginTime = 15 * time.Second

// trusts returns the certificates by which the context knows its cluster.
func (c *kubeContext) trusts() ([]*x509.Certificate, string) {
	if len(c.cluster.CertificateAuthorityData) == 0 {
		return nil, "its cluster has no certificate-authority-data"
	}
	items, err := ca.Decode(c.cluster.CertificateAuthorityData, "the certificate authority of cluster "+c.context.Cluster)
	if err != nil {
		return nil, err.Error()
	}
	certs := ca.Certificates(items)
	if len(certs) == 0 {
		return nil, "there is no certificate in its certificate-authority-data"
	}
	return certs, ""
}

// reach returns a client that calls the lab's API server as the context would, without
// its user; or says why the context would not get there. What is dialled is the
// address that this program knows, never one of the learner's.
func (c *kubeContext) reach(ctx context.Context, admin *kubeclient.Client) (found string) {
	own, err := url.Parse(admin.Server())
	if err != nil {
		return "the lab's cluster has no address"
	}
	server, err := url.Parse(c.cluster.Server)
	switch {
	case c.cluster.Server == "":
		return "its cluster has no server"
	case err != nil, server.Scheme != "https":
		return "its server " + kubeclient.ShowURL(c.cluster.Server) + " is not https://HOST:PORT"
	case c.cluster.InsecureSkipTLSVerify:
		return "insecure-skip-tls-verify: whoever is between is taken for the server"
	case c.cluster.ProxyURL != "":
		return "it goes through the proxy " + kubeclient.ShowURL(c.cluster.ProxyURL)
	case !isLocal(server.Hostname()) || server.Port() != own.Port() || strings.Trim(server.Path, "/") != "":
		return fmt.Sprintf("its server is %s, and the lab's is %s", kubeclient.ShowURL(c.cluster.Server), admin.Server())
	}
	if _, found := c.trusts(); found != "" {
		return found
	}
	name := c.cluster.TLSServerName
	if name == "" {
		name = server.Hostname()
	}
	client, found := dialOwn(admin, api.Cluster{CertificateAuthorityData: c.cluster.CertificateAuthorityData, TLSServerName: name}, api.AuthInfo{})
	if found != "" {
		return found
	}
	if _, err := client.Status(ctx, "/version"); err != nil {
		return err.Error()
	}
	return ""
}

func isLocal(host string) bool { return host == "127.0.0.1" || strings.EqualFold(host, "localhost") }

// dialOwn returns a client of the lab's own API server.
func dialOwn(admin *kubeclient.Client, cluster api.Cluster, user api.AuthInfo) (*kubeclient.Client, string) {
	cluster.Server = admin.Server()
	config := api.Config{
		Clusters: map[string]*api.Cluster{"lab": &cluster}, AuthInfos: map[string]*api.AuthInfo{"lab": &user},
		Contexts: map[string]*api.Context{"lab": {Cluster: "lab", AuthInfo: "lab"}}, CurrentContext: "lab",
	}
	client, err := kubeclient.FromConfig(config, kubeclient.Options{Timeout: loginTime, Agent: agent})
	if err != nil {
		return nil, err.Error()
	}
	return client, ""
}

// logIn asks the lab's API server whom it takes the context's user for.
func (w *work) logIn(ctx context.Context, c *kubeContext, admin *kubeclient.Client) (info authenticationv1.UserInfo, found string) {
	trusted, err := admin.CAPEM()
	if err != nil {
		return info, err.Error()
	}
	if found := c.credential(trusted, w.now); found != "" {
		return info, found
	}
	client, found := dialOwn(admin, api.Cluster{CertificateAuthorityData: trusted, TLSServerName: admin.ServerName()},
		api.AuthInfo{ClientCertificateData: c.user.ClientCertificateData, ClientKeyData: c.user.ClientKeyData})
	if found != "" {
		return info, found
	}
	review := &authenticationv1.SelfSubjectReview{}
	err = client.Create(ctx, kubeclient.SelfSubjectReviews, &authenticationv1.SelfSubjectReview{}, review)
	switch {
	case apierrors.IsUnauthorized(err):
		return info, "the API server does not accept the client certificate: 401 Unauthorized"
	case err != nil:
		return info, err.Error()
	}
	return review.Status.UserInfo, ""
}

// credential says what is wrong with the client certificate and its key, without
// asking anybody.
func (c *kubeContext) credential(trusted []byte, now time.Time) (found string) {
	user := fmt.Sprintf("user %q of %s ", c.context.AuthInfo, c.file)
	switch {
	case c.user.Exec != nil:
		return user + "runs a program for a credential"
	case c.user.AuthProvider != nil:
		return user + "has an auth-provider"
	case c.user.Impersonate != "":
		return user + "impersonates " + c.user.Impersonate
	}
	reader := kubeconfig.Reader{Name: c.file}
	part, key := reader.ClientCertificate(c.user), reader.ClientKey(c.user)
	if part == nil {
		return user + "has no client certificate"
	}
	certs := ca.Certificates(part.Items)
	switch {
	case part.Err != nil:
		return part.Err.Error()
	case len(certs) == 0:
		return user + "has no certificate in its client-certificate-data"
	case key != nil && key.Err != nil:
		return key.Err.Error()
	}
	switch check := kubeconfig.CheckKey(certs[0], key); check.Status {
	case ca.CheckFailed:
		return user + "has a key that is not that of its certificate"
	case ca.CheckSkipped:
		return user + "has a key that cannot be used: " + check.Reason
	}
	roots, above := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	for _, cert := range certs[1:] {
		above.AddCert(cert)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: above, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return "the client certificate of " + user + "is not accepted: " + strings.TrimPrefix(err.Error(), "x509: ") + ", " + span(certs[0])
	}
	return ""
}
