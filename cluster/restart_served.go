package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// pairFlags returns the flags that name a component's certificates, each with that
// of its key.
func pairFlags(component string) [][2]string {
	switch component {
	case ComponentEtcd:
		return [][2]string{{flagEtcdCert, flagEtcdKey}, {"peer-cert-file", "peer-key-file"}}
	case ComponentAPIServer:
		return [][2]string{
			{staticpod.FlagCert, staticpod.FlagKey}, {"etcd-certfile", "etcd-keyfile"},
			{"kubelet-client-certificate", "kubelet-client-key"}, {"proxy-client-cert-file", "proxy-client-key-file"},
		}
	}
	return [][2]string{{staticpod.FlagCert, staticpod.FlagKey}}
}

// checkFiles refuses to restart a component with what it would not come back
// with, while the running one may go on for long. Files that are not on the
// host are passed over.
func (p *staticPod) checkFiles(now time.Time) error {
	for _, flags := range pairFlags(p.Name) {
		certFile, haveCert := p.HostFile(flags[0])
		keyFile, haveKey := p.HostFile(flags[1])
		if !haveCert || !haveKey {
			continue
		}
		if err := p.checkPair(certFile, keyFile, now); err != nil {
			return err
		}
	}
	if file, ok := p.HostFile("kubeconfig"); ok {
		return p.checkKubeconfig(file, now)
	}
	return nil
}

func (p *staticPod) checkPair(certFile, keyFile string, now time.Time) error {
	certPEM, err := store.Read(certFile, store.MaxPEM)
	if err != nil {
		return p.spoiled(err, "")
	}
	keyPEM, err := store.Read(keyFile, store.MaxPEM)
	if err != nil {
		return p.spoiled(err, "")
	}
	return p.checkPEM(certFile, certPEM, keyPEM, now)
}

// checkPEM says nothing of the key but that it does not fit.
func (p *staticPod) checkPEM(name string, certPEM, keyPEM []byte, now time.Time) error {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return p.spoiled(fmt.Errorf("certificate %q and its key cannot be read, or do not fit", name), name)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return p.spoiled(fmt.Errorf("certificate %q is damaged", name), name)
	}
	if check := ca.CheckTime(leaf, nil, now); check.Status == ca.CheckFailed {
		return p.spoiled(fmt.Errorf("certificate %q: %s", name, check.Found), name)
	}
	return nil
}

// checkKubeconfig checks the certificates that are embedded in a kubeconfig.
func (p *staticPod) checkKubeconfig(file string, now time.Time) error {
	config, err := kubeconfig.Load(file)
	if err != nil {
		return p.spoiled(err, "")
	}
	current := config.Contexts[config.CurrentContext]
	if current == nil || config.AuthInfos[current.AuthInfo] == nil {
		return p.spoiled(fmt.Errorf("kubeconfig %q has no current user", file), file)
	}
	user := config.AuthInfos[current.AuthInfo]
	if len(user.ClientCertificateData) == 0 || len(user.ClientKeyData) == 0 {
		return nil
	}
	return p.checkPEM(file, user.ClientCertificateData, user.ClientKeyData, now)
}

func (p *staticPod) spoiled(err error, name string) error {
	hint := failure.HintOf(err)
	if name != "" {
		hint = "renew or replace it first; nothing was touched"
	}
	return failure.Wrap(err, failure.Failed, hint, "%s is not restarted, for it would not come back", p.Name)
}

// compareServed compares the certificate that a component serves with the file
// that its manifest names.
func (r *restarter) compareServed(ctx context.Context, s *restartStep) error {
	if s.listener.CertFlag == "" {
		return nil // it makes one for itself, or needs none
	}
	file, ok := s.pod.HostFile(s.listener.CertFlag)
	if !ok {
		s.report.Note = fmt.Sprintf("the certificate that it serves was not compared: --%s names no file of this host", s.listener.CertFlag)
		return nil
	}
	host, _, _ := net.SplitHostPort(s.listener.Address)
	served, err := kubeclient.Served(ctx, kubeclient.Endpoint{Address: s.listener.Address, Host: host}, staticpod.ProbeTimeout)
	if ctx.Err() != nil {
		return interrupted(ctx.Err(), s, "it is healthy")
	}
	if err != nil {
		return err
	}
	want, err := ca.ReadCertificate(file)
	if err != nil {
		return err
	}
	if !bytes.Equal(served[0].Raw, want.Raw) {
		return failure.Wrap(errServed(served[0], want), failure.Failed,
			"see which process listens there; another program may renew the certificate, or stand before the component",
			"%s was restarted, but %q does not serve certificate %q", s.pod.Name, s.listener.Address, file)
	}
	s.report.Serves = file
	return nil
}

func errServed(served, want *x509.Certificate) error {
	if served.SerialNumber.Cmp(want.SerialNumber) == 0 {
		return errors.New("it serves another one of the same serial number")
	}
	return fmt.Errorf("it serves serial %x, the file has %x", served.SerialNumber, want.SerialNumber)
}

// servedWords goes behind the words that the component is healthy.
func (s *restartStep) servedWords() string {
	switch {
	case s.report.Serves != "":
		return fmt.Sprintf(" and serves %q", s.report.Serves)
	case s.report.Note != "":
		return "; " + s.report.Note
	}
	return ""
}
