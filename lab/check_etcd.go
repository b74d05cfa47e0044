package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// readEtcdCheck reads the parameters of a check of what the etcd of the lab's node
// holds, in its own bytes:
//
//	secrets    NAMESPACE/NAME of Secrets that are there
//	all        true: beside them, each Secret of the cluster is meant
//	encrypted  true: they are encrypted by a provider of the API server, and the API
//	           server reads them
func readEtcdCheck(p *params) (grader, error) {
	c := &etcdCheck{}
	boolean := func(what string, to *bool) yamlfile.Key {
		return yamlfile.Key{Name: what, Read: func(n *yaml.Node) (err error) { *to, err = p.Boolean(n, what); return err }}
	}
	err := p.fields(
		yamlfile.Key{Name: "secrets", Read: func(n *yaml.Node) error {
			return p.List(n, "secrets", func(n *yaml.Node, name string) error {
				if strings.Count(name, "/") != 1 {
					return p.ErrorAt(n, "write NAMESPACE/NAME", "%q names no Secret", name)
				}
				c.secrets = append(c.secrets, name)
				return nil
			})
		}},
		boolean("all", &c.all),
		boolean("encrypted", &c.encrypted),
	)
	if err == nil && (len(c.secrets) == 0 || !c.encrypted) {
		err = p.ErrorAt(p.node, "write secrets: [NAMESPACE/NAME] and encrypted: true", "%s asks for nothing", p.what)
	}
	return c.grade, err
}

type etcdCheck struct {
	secrets        []string
	all, encrypted bool
}

// secretPrefix is where the API server keeps Secrets; encryptedPrefix begins what it
// has encrypted (staging/src/k8s.io/apiserver/pkg/server/options/encryptionconfig).
const (
	secretPrefix    = "/registry/secrets/"
	encryptedPrefix = "k8s:enc:"
)

func (c *etcdCheck) grade(ctx context.Context, w *work) finding {
	f := finding{wanted: "encrypted in etcd, and readable by the API server: " + strings.Join(c.secrets, ", ")}
	if c.all {
		f.wanted += ", and every other Secret"
	}
	admin, found := w.cluster(ctx)
	if found != "" {
		f.found = found
		return f
	}
	kept, err := w.etcdRange(ctx, secretPrefix)
	if err != nil {
		f.found = err.Error()
		return f
	}
	f.found = c.fault(ctx, admin, kept)
	if f.passed = f.found == ""; f.passed {
		f.found = "as wanted"
	}
	return f
}

// fault says which Secret is not as it should be.
func (c *etcdCheck) fault(ctx context.Context, admin *kubeclient.Client, kept []etcdPair) string {
	var plain []string
	known := map[string]bool{}
	for _, pair := range kept {
		name := strings.TrimPrefix(string(pair.Key), secretPrefix)
		known[name] = true
		if (c.all || slices.Contains(c.secrets, name)) && !bytes.HasPrefix(pair.Value, []byte(encryptedPrefix)) {
			plain = append(plain, name)
		}
	}
	for _, name := range c.secrets {
		if !known[name] {
			return "there is no Secret " + name
		}
	}
	if len(plain) > 0 {
		return "anybody who reads etcd's data reads " + strings.Join(plain, ", ")
	}
	for _, name := range c.secrets {
		namespace, name, _ := strings.Cut(name, "/")
		code, err := admin.Status(ctx, path.Join(kubeclient.Namespaces, namespace, "secrets", name))
		if err != nil {
			return err.Error()
		}
		if code != http.StatusOK {
			return fmt.Sprintf("the API server cannot read the Secret %s/%s: HTTP status %d", namespace, name, code)
		}
	}
	return ""
}

// etcdPair is a key of etcd with its value.
type etcdPair struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// maxEtcd bounds what is read of etcd, in bytes and in keys.
const (
	maxEtcd     = 16 << 20
	maxEtcdKeys = 1000
)

// etcdRange returns what the etcd of the lab's node has below a prefix. It is asked
// through its JSON gateway, on this machine alone.
func (w *work) etcdRange(ctx context.Context, prefix string) ([]etcdPair, error) {
	address, err := w.etcdAddress()
	if err != nil {
		return nil, err
	}
	conf, err := w.etcdTLS()
	if err != nil {
		return nil, err
	}
	end := []byte(prefix)
	end[len(end)-1]++
	body, err := json.Marshal(map[string]any{"key": []byte(prefix), "range_end": end, "limit": maxEtcdKeys})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+address+"/v3/kv/range", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("etcd does not answer: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Pairs []etcdPair `json:"kvs"`
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("etcd answers with HTTP status %d", response.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxEtcd)).Decode(&answer); err != nil {
		return nil, errors.New("etcd's answer cannot be read")
	}
	return answer.Pairs, nil
}

// etcdAddress is where the node's etcd listens, as its manifest says.
func (w *work) etcdAddress() (string, error) {
	pod, _, found := w.staticPod(nodeManifests+"/etcd.yaml", cluster.ComponentEtcd)
	if found != "" {
		return "", errors.New(found)
	}
	for _, text := range strings.Split(pod.Flags["listen-client-urls"], ",") {
		if u, err := url.Parse(text); err == nil && u.Scheme == "https" && u.Hostname() == "127.0.0.1" {
			return net.JoinHostPort("127.0.0.1", u.Port()), nil
		}
	}
	return "", errors.New("etcd does not listen at https://127.0.0.1")
}

// etcdTLS shows etcd the certificate that the API server has for it.
func (w *work) etcdTLS() (*tls.Config, error) {
	var pems [3][]byte
	for i, name := range []string{"apiserver-etcd-client.crt", "apiserver-etcd-client.key", "etcd/ca.crt"} {
		data, found := w.learner.file(path.Join(nodeKubernetes, "pki", name), store.MaxPEM)
		if found != "" {
			return nil, errors.New(found)
		}
		pems[i] = data
	}
	pair, err := tls.X509KeyPair(pems[0], pems[1])
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pems[2]) {
		return nil, errors.New("the API server's credential for etcd, below " + nodeKubernetes + "/pki, is damaged")
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
