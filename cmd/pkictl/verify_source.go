package main

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// keyFile is the file of --key.
type keyFile struct {
	path       string // empty: none was given
	passphrase ca.Passphrase
}

// fill adds to the options what the source holds: certificates and key. It
// returns the checks that only a kubeconfig has.
func (s *source) fill(o *ca.VerifyOptions, key keyFile, authority *ca.CA) ([]ca.Check, error) {
	o.Name = s.name
	if s.config != nil {
		return s.fillKubeconfig(o, key, authority)
	}
	o.Certificates = ca.Certificates(s.items)
	if len(o.Certificates) == 0 {
		return nil, failure.New(failure.Failed, "see what is in it with: pkictl inspect", "%q holds no certificate", s.name)
	}
	beside, hasKey := s.keyBeside()
	switch {
	case key.path != "":
		return nil, key.read(o)
	case hasKey:
		return nil, tryKey(o, beside)
	}
	useKey(o, ca.PrivateKey(s.items), s.name)
	return nil, nil
}

// keyBeside returns the path of NAME.key beside NAME.crt if there is one.
func (s *source) keyBeside() (string, bool) {
	prefix, isCert := strings.CutSuffix(s.path, ".crt")
	if !isCert {
		return "", false
	}
	path := prefix + ".key"
	_, err := os.Stat(path)
	return path, !errors.Is(err, fs.ErrNotExist)
}

// read reads a key that was asked for, and with it its passphrase or PIN.
func (k keyFile) read(o *ca.VerifyOptions) error {
	data, err := store.Read(k.path, store.MaxPEM)
	if err != nil {
		return err
	}
	items, err := ca.Decode(data, k.path)
	if err != nil {
		return err
	}
	found := ca.PrivateKey(items)
	if found == nil {
		return failure.New(failure.Failed, "a key file begins with -----BEGIN PRIVATE KEY-----", "%q holds no private key", k.path)
	}
	if found.Public == nil {
		key, err := ca.ParseKey(data, k.path, k.passphrase)
		if err != nil {
			return err
		}
		o.Key, o.KeyName = key.Public(), k.path
		ca.CloseKey(key)
		return nil
	}
	useKey(o, found, k.path)
	return nil
}

// tryKey reads a key that happens to be there. That it belongs to somebody
// else is no failure of the certificate.
func tryKey(o *ca.VerifyOptions, path string) error {
	key, err := ca.KeyBeside(path)
	if errors.Is(err, fs.ErrPermission) {
		o.NoKey = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	useKey(o, key, path)
	return nil
}

// useKey takes the key, or says why it cannot.
func useKey(o *ca.VerifyOptions, key *ca.KeyInfo, name string) {
	switch {
	case key == nil:
		o.NoKey = "no key was given, and there is none beside it"
	case key.Encrypted:
		o.NoKey = "the key in " + name + " is encrypted; name it with --key to be asked for its passphrase"
	case key.Public == nil:
		o.NoKey = "the key of " + name + " is in a PKCS#11 token; name it with --key to be asked for the PIN"
	default:
		o.Key, o.KeyName = key.Public, name
	}
}

// fillKubeconfig takes the client certificate of the current context.
func (s *source) fillKubeconfig(o *ca.VerifyOptions, key keyFile, authority *ca.CA) ([]ca.Check, error) {
	current, err := s.currentContext()
	if err != nil {
		return nil, err
	}
	reader := newKubeconfigReader(s)
	user := s.config.AuthInfos[current.AuthInfo]
	part := reader.ClientCertificate(user)
	if part == nil {
		return nil, failure.New(failure.Failed, "see what it logs in with: pkictl inspect",
			"user %q of kubeconfig %q has no client certificate", current.AuthInfo, s.name)
	}
	if part.Err != nil {
		return nil, part.Err
	}
	o.Name = "user " + current.AuthInfo
	o.Certificates = ca.Certificates(part.Items)
	if len(o.Certificates) == 0 {
		return nil, failure.New(failure.Failed, "", "the client certificate of user %q of kubeconfig %q is none", current.AuthInfo, s.name)
	}
	o.Purpose = cmp.Or(o.Purpose, ca.PurposeClient)
	clusterCA := reader.checkClusterCA(current.Cluster, authority)
	if key.path != "" {
		return []ca.Check{clusterCA}, key.read(o)
	}
	own := reader.ClientKey(user)
	if own == nil {
		o.NoKey = "the user has no client key"
		return []ca.Check{clusterCA}, nil
	}
	if own.Err != nil {
		return nil, own.Err
	}
	useKey(o, ca.PrivateKey(own.Items), cmp.Or(own.File, s.name))
	return []ca.Check{clusterCA}, nil
}

// currentContext returns the current context, whose cluster and user exist.
func (s *source) currentContext() (*api.Context, error) {
	const hint = "choose one with: kubectl config use-context, and see all with: kubectl config get-contexts"
	if s.config.CurrentContext == "" {
		return nil, failure.New(failure.Failed, hint, "kubeconfig %q has no current context", s.name)
	}
	current := s.config.Contexts[s.config.CurrentContext]
	if current == nil {
		return nil, failure.New(failure.Failed, hint, "kubeconfig %q has no context %q, which is its current one", s.name, s.config.CurrentContext)
	}
	if s.config.AuthInfos[current.AuthInfo] == nil {
		return nil, failure.New(failure.Failed, hint, "kubeconfig %q has no user %q, which its current context names", s.name, current.AuthInfo)
	}
	if s.config.Clusters[current.Cluster] == nil {
		return nil, failure.New(failure.Failed, hint, "kubeconfig %q has no cluster %q, which its current context names", s.name, current.Cluster)
	}
	return current, nil
}

// checkClusterCA checks that a client trusts the CA's servers. While a CA is
// being replaced there is more than one.
func (r kubeconfigReader) checkClusterCA(name string, authority *ca.CA) ca.Check {
	wanted := fmt.Sprintf("%s in %s", ca.FormatName(authority.Certificate.RawSubject), ca.CertPath(authority.Dir))
	failed := func(found string) ca.Check {
		return ca.FailedCheck("cluster CA", wanted, found, "set it with: kubectl config set-cluster --certificate-authority FILE --embed-certs")
	}
	cluster := r.Config.Clusters[name]
	part := r.ClusterCA(cluster)
	switch {
	case cluster.InsecureSkipTLSVerify:
		return failed("insecure-skip-tls-verify: the server is not verified at all")
	case part == nil:
		return failed("none: the server is verified against the CAs of the system")
	case part.Err != nil:
		return failed(part.Problem)
	}
	certs := ca.Certificates(part.Items)
	for _, cert := range certs {
		if cert.Equal(authority.Certificate) {
			return ca.PassedCheck("cluster CA", wanted, "it in cluster "+name)
		}
	}
	return failed(otherCA(certs))
}

func otherCA(certs []*x509.Certificate) string {
	if len(certs) == 0 {
		return "no certificate"
	}
	return fmt.Sprintf("%s with SHA-256 %s", ca.FormatName(certs[0].RawSubject), ca.Fingerprint(certs[0]))
}
