package kubeconfig

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// login is a credential that an API server is asked about, once however many
// contexts have it.
type login struct {
	file     string
	contexts []string
	cluster  *clusterState
	client   *kubeclient.Client
	identity *Identity
	err      error
}

// logIn asks each server who it takes the user of each context for.
func (c *checker) logIn(ctx context.Context) {
	var logins []*login
	for _, v := range c.views {
		known := map[[sha256.Size]byte]*login{}
		for _, name := range v.chosen {
			chosen := v.config.Contexts[name]
			cluster, user := v.clusters[chosen.Cluster], v.users[chosen.AuthInfo]
			if cluster == nil || user == nil || !cluster.trusted || !user.askable || v.unusable[name] {
				continue
			}
			id := identify(cluster, user)
			l := known[id]
			if l == nil {
				l = &login{file: v.name, cluster: cluster}
				l.client, l.err = kubeclient.FromConfig(*v.config, kubeclient.Options{Context: name, Timeout: c.o.Timeout, Agent: c.o.Agent})
				known[id] = l
				logins = append(logins, l)
			}
			l.contexts = append(l.contexts, name)
			v.logins[name] = l
		}
	}
	c.inParallel(ctx, len(logins), func(i int) { logins[i].ask(ctx) })
	for _, l := range logins {
		if l.err != nil {
			c.findLogin(l)
		}
	}
}

// identify returns what is the same for the same credential at the same server.
func identify(cluster *clusterState, user *userState) [sha256.Size]byte {
	server, credential := *cluster.entry, *user.entry
	server.LocationOfOrigin, credential.LocationOfOrigin = "", ""
	data, err := json.Marshal([]any{server, credential})
	if err != nil { // of an extension that is no JSON
		data = []byte(cluster.name + "\x00" + user.name)
	}
	return sha256.Sum256(data)
}

func (l *login) ask(ctx context.Context) {
	if l.err != nil {
		return
	}
	review := &authenticationv1.SelfSubjectReview{}
	l.err = l.client.Create(ctx, kubeclient.SelfSubjectReviews, &authenticationv1.SelfSubjectReview{}, review)
	switch {
	case l.err == nil:
		info := review.Status.UserInfo
		l.identity = &Identity{User: info.Username, Groups: info.Groups}
	case apierrors.IsNotFound(l.err): // before 1.28; who is asked has accepted the credential
		l.err = nil
	case apierrors.IsForbidden(l.err) && !strings.Contains(l.err.Error(), `"system:anonymous"`):
		l.err = nil // known, but may not even ask that
	}
}

func (c *checker) findLogin(l *login) {
	server := kubeclient.ShowURL(l.cluster.entry.Server)
	switch {
	case apierrors.IsUnauthorized(l.err):
		c.find(l.file, l.contexts, "login", "it has ended, was taken back, or is of another cluster: get a new one",
			"the API server %s does not accept the credential: 401 Unauthorized", server)
	case apierrors.IsForbidden(l.err):
		c.find(l.file, l.contexts, "login", "it is of another CA, or of another cluster: get a new one",
			"the API server %s takes the user for nobody (system:anonymous)", server)
	default:
		hint := failure.HintOf(l.err)
		if hint == "" || strings.Contains(hint, "kubeconfig check") {
			hint = "try again; then look at the log of the API server"
		}
		c.find(l.file, l.contexts, "login", hint, "%v", l.err)
	}
}

// comparison is a CA that a kubeconfig has for a server, with the clusters that
// name both and who could read what the server hands out.
type comparison struct {
	clusters []*clusterState
	logins   []*login
	handed   []*x509.Certificate
}

// mayRead is how many users are asked to read what a cluster hands out.
const mayRead = 3

// compareCAs compares the CA of each kubeconfig with the one that the cluster
// hands out, where somebody may read that.
func (c *checker) compareCAs(ctx context.Context) {
	type pair struct {
		server *served
		trusts string
	}
	var list []*comparison
	byPair := map[pair]*comparison{}
	for _, l := range c.accepted() {
		at := pair{server: l.cluster.server}
		for _, cert := range l.cluster.trusts {
			at.trusts += string(cert.Raw)
		}
		if byPair[at] == nil {
			byPair[at] = &comparison{}
			list = append(list, byPair[at])
		}
		byPair[at].clusters = append(byPair[at].clusters, l.cluster)
		byPair[at].logins = append(byPair[at].logins, l)
	}
	c.inParallel(ctx, len(list), func(i int) {
		for _, l := range list[i].logins[:min(len(list[i].logins), mayRead)] {
			if list[i].handed = l.rootCA(ctx); list[i].handed != nil {
				return
			}
		}
	})
	for _, compared := range list {
		for _, cluster := range slices.Compact(compared.clusters) {
			c.compareCA(cluster, compared.handed)
		}
	}
}

// accepted returns the logins that a server accepted whose CA the kubeconfig has.
func (c *checker) accepted() []*login {
	var list []*login
	for _, v := range c.views {
		for _, name := range v.chosen {
			if l := v.logins[name]; l != nil && l.err == nil && len(l.cluster.trusts) > 0 && l.contexts[0] == name {
				list = append(list, l)
			}
		}
	}
	return list
}

// compareCA says what a cluster hands out and the kubeconfig lacks.
func (c *checker) compareCA(cluster *clusterState, handed []*x509.Certificate) {
	file := cluster.entry.LocationOfOrigin
	more, missing := sameCertificates(cluster.trusts, handed)
	const hint = "the CA is being replaced or was: take what kubectl get configmap kube-root-ca.crt shows"
	switch {
	case len(handed) == 0: // nobody may read it
	case len(missing) == len(handed):
		c.find(file, cluster.contexts, "drift", hint, "the cluster hands out another CA than the kubeconfig has: %s", showCA(handed[0]))
	case len(missing) > 0:
		c.find(file, cluster.contexts, "drift", hint, "the cluster hands out a CA that the kubeconfig lacks: %s", showCA(missing[0]))
	case len(more) > 0:
		c.note(file, cluster.contexts, "drift", "take it out once no server needs it", "the kubeconfig trusts a CA that the cluster does not hand out: %s", showCA(more[0]))
	}
}

// rootCA reads the CA that the cluster hands out: to pods, or as kubeadm does
// to whoever joins. It returns nil where it may not.
func (l *login) rootCA(ctx context.Context) []*x509.Certificate {
	var config corev1.ConfigMap
	if err := l.client.Get(ctx, kubeclient.Namespaces+"/"+l.client.Namespace+"/configmaps/kube-root-ca.crt", &config); err == nil {
		return certificatesIn([]byte(config.Data["ca.crt"]))
	}
	config = corev1.ConfigMap{}
	if err := l.client.Get(ctx, kubeclient.Namespaces+"/kube-public/configmaps/cluster-info", &config); err != nil {
		return nil
	}
	info, err := Parse([]byte(config.Data["kubeconfig"]), "cluster-info")
	if err != nil {
		return nil
	}
	for _, cluster := range info.Clusters {
		return certificatesIn(cluster.CertificateAuthorityData)
	}
	return nil
}

func certificatesIn(data []byte) []*x509.Certificate {
	items, err := ca.Decode(data, "the CA of the cluster")
	if err != nil {
		return nil
	}
	return ca.Certificates(items)
}
