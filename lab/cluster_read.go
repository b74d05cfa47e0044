package lab

import (
	"path"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// readCluster reads what a lab says of its cluster:
//
//	objects  file below cluster in the lab's directory, with objects that the
//	         administrator makes when the lab starts, in their order; $(FREE_PORT)
//	         in it is a port of 127.0.0.1 that is free then
//	issue    credentials that the lab begins with, see readIssue
//	expiring {apiserver: 3d}: certificates by the names of "cluster renew", and how long
//	         they are valid from the start of the lab
//	staticPods  true: etcd and kube-apiserver run as static pods of a node, whose
//	         root is node in the workspace; kube-controller-manager does not run
//
// A lab that needs a cluster and says nothing of it has one as it is after its start.
func (r *reader) readCluster(n *yaml.Node) error {
	needed := r.lab.HasCluster()
	if n == nil {
		if needed {
			r.lab.cluster = &ownCluster{}
		}
		return nil
	}
	if !needed {
		return r.ErrorAt(n, "write needs: ["+NeedsCluster+"]", "a lab that does not need a cluster has none")
	}
	own := &ownCluster{}
	r.lab.cluster = own
	return r.Mapping(n, "cluster",
		yamlfile.Key{Name: "staticPods", Read: func(n *yaml.Node) (err error) {
			own.staticPods, err = r.Boolean(n, "staticPods")
			return err
		}},
		yamlfile.Key{Name: "expiring", Read: r.readExpiring(&own.expiring)},
		yamlfile.Key{Name: "objects", Read: func(n *yaml.Node) error {
			data, name, err := r.clusterFile(n, "objects")
			if err != nil {
				return err
			}
			own.objects, err = readObjects(name, data)
			return r.At(n, err)
		}},
		yamlfile.Key{Name: "issue", Read: func(n *yaml.Node) error {
			return r.elements(n, "issue", func(n *yaml.Node) error {
				i, err := r.readIssue(n)
				own.issue = append(own.issue, i)
				return err
			})
		}},
	)
}

// clusterFile reads a file below cluster in the lab's directory.
func (r *reader) clusterFile(n *yaml.Node, what string) (data []byte, name string, err error) {
	name, err = r.Text(n, what)
	if err == nil && !isFileName(name) {
		err = r.ErrorAt(n, "write a name below "+clusterDir+" in the lab's directory", "%q is no such file", name)
	}
	if err != nil {
		return nil, "", err
	}
	name = path.Join(clusterDir, name)
	data, err = readGiven(r.lab.given, name, r.lab.ID, maxGivenFile)
	return data, name, r.At(n, err)
}

// readObjects reads objects of Kubernetes that a lab has.
func readObjects(name string, data []byte) ([]document, error) {
	docs, found := decodeDocuments(name, data)
	if found != "" {
		return nil, failure.New(failure.Usage, "", "%s", found)
	}
	for _, d := range docs {
		if d.Name == "" {
			return nil, failure.New(failure.Usage, "give it metadata.name", "a %s in %s has no name", d.Kind, name)
		}
	}
	if len(docs) == 0 {
		return nil, failure.New(failure.Usage, "leave it out, or write some", "%s has no object", name)
	}
	return docs, nil
}

// issue is a credential that a lab begins with: a kubeconfig.
type issue struct {
	file                   string // below the workspace
	user                   string
	groups                 []string
	begins, ends           time.Duration // from the start of the lab
	namespace              string
	context, cluster, name string // in the kubeconfig; name is the user's
	server                 string // empty: the cluster's
	otherCA                bool
	otherSigner            bool
}

// usualTerm is how long a credential holds of which the lab does not say it.
const usualTerm = 30 * 24 * time.Hour

// readIssue reads a credential:
//
//	file         the kubeconfig, below the workspace
//	user         the common name of the certificate, groups its organizations
//	ends         when it ends after the lab has been started, as in 8h; -24h has it
//	             ended a day before. It begins 30 days before it ends, at most an
//	             hour before the lab is started
//	namespace    of the context
//	contextName, clusterName, userName  in the kubeconfig
//	server       another URL than that of the cluster
//	ca: other    another CA of the same name is in the kubeconfig
//	signer: other  and another one has signed the certificate
func (r *reader) readIssue(n *yaml.Node) (issue, error) {
	i := issue{ends: usualTerm}
	if err := r.need(n, "a credential", "file", "user"); err != nil {
		return i, err
	}
	err := r.Mapping(n, "a credential",
		yamlfile.Key{Name: "file", Read: func(n *yaml.Node) error {
			var err error
			if i.file, err = r.Text(n, "file"); err == nil && (!isFileName(i.file) || isOwnName(i.file)) {
				err = r.ErrorAt(n, "write a name below the workspace, as in kube/dev.conf", "%q is no name for a credential", i.file)
			}
			return err
		}},
		yamlfile.Key{Name: "user", Read: r.line("user", &i.user)},
		yamlfile.Key{Name: "groups", Read: func(n *yaml.Node) (err error) { i.groups, err = r.Texts(n, "groups"); return err }},
		yamlfile.Key{Name: "ends", Read: func(n *yaml.Node) error {
			text, err := r.Text(n, "ends")
			if err != nil {
				return err
			}
			if i.ends, err = time.ParseDuration(text); err != nil || i.ends == 0 {
				return r.ErrorAt(n, "write a time from the start of the lab, as in 8h or -24h", "%q is no length of time", text)
			}
			return nil
		}},
		yamlfile.Key{Name: "namespace", Read: r.line("namespace", &i.namespace)},
		yamlfile.Key{Name: "contextName", Read: r.line("contextName", &i.context)},
		yamlfile.Key{Name: "clusterName", Read: r.line("clusterName", &i.cluster)},
		yamlfile.Key{Name: "userName", Read: r.line("userName", &i.name)},
		yamlfile.Key{Name: "server", Read: func(n *yaml.Node) error {
			err := r.line("server", &i.server)(n)
			if err == nil && !strings.HasPrefix(i.server, "https://") {
				err = r.ErrorAt(n, "write https://HOST:PORT", "%q is no URL of an API server", i.server)
			}
			return err
		}},
		yamlfile.Key{Name: "ca", Read: r.other(&i.otherCA)},
		yamlfile.Key{Name: "signer", Read: r.other(&i.otherSigner)},
	)
	i.begins = min(-time.Hour, i.ends-usualTerm)
	return i, err
}

// checkIssued refuses two files of one name that a workspace would begin with.
func (l *Lab) checkIssued(given []givenFile) error {
	if l.cluster == nil {
		return nil
	}
	seen := map[string]bool{}
	for _, g := range given {
		seen[g.name] = true
	}
	for _, i := range l.cluster.issue {
		if l.cluster.staticPods && isNodeFile(i.file) {
			return failure.New(failure.Usage, "give it another name", "lab %q cannot begin with %q: it is the node's own", l.ID, i.file)
		}
		if seen[path.Clean(i.file)] {
			return failure.New(failure.Usage, "give one of them another name", "lab %q begins with two files %s", l.ID, i.file)
		}
		seen[path.Clean(i.file)] = true
	}
	return nil
}

// other reads the word other.
func (r *reader) other(to *bool) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		*to = true
		return r.At(n, r.constant("other")(n))
	}
}
