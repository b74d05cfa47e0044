package cluster

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/pkictl/pkictl/ca"
)

// mutations are what goes wrong with a directory, and what is found of it.
var mutations = []struct {
	name  string
	spoil func(s spoiled)
	want  []string
	notes []string
	says  []string // in one of the findings
}{
	{name: "nothing", spoil: func(spoiled) {}},
	{name: "CN", spoil: func(s spoiled) { s.resign("apiserver", nil, commonName("apiserver")) }, want: []string{"apiserver CN"},
		says: []string{"wanted kube-apiserver; found apiserver", "pkictl cluster init --repair --dir "}},
	{name: "node name in kubelet.conf", spoil: func(s spoiled) { s.resign(NameKubelet, nil, commonName("system:node:other")) },
		want: []string{"kubelet.conf CN"}, says: []string{"system:node:cp-1"}},
	{name: "CN of etcd/server", spoil: func(s spoiled) { s.resign(nameEtcdServer, nil, commonName("other")) }, want: []string{"etcd/server CN"}},
	{name: "O", spoil: func(s spoiled) { s.resign(nameKubeletClient, nil, organization("devs")) }, want: []string{"apiserver-kubelet-client O"}},
	{name: "O of old", spoil: func(s spoiled) { s.resign(nameKubeletClient, nil, organization("system:masters")) }, notes: []string{"apiserver-kubelet-client O"}},
	{name: "no O", spoil: func(s spoiled) { s.resign(NameKubelet, nil, organization()) }, want: []string{"kubelet.conf O"}},
	{name: "EKU", spoil: func(s spoiled) {
		s.resign(nameEtcdServer, nil, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	}, want: []string{"etcd/server EKU"}},
	{name: "SAN kubernetes.default", spoil: func(s spoiled) { s.resign("apiserver", nil, withoutName("kubernetes.default")) }, want: []string{"apiserver SAN"}},
	{name: "SAN of the node", spoil: func(s spoiled) { s.resign("apiserver", nil, withoutName("cp-1")) }, want: []string{"apiserver SAN"}, says: []string{"wanted cp-1"}},
	{name: "SAN of the endpoint", spoil: func(s spoiled) { s.resign("apiserver", nil, withoutName("k8s.example.com")) }, want: []string{"apiserver SAN"}, says: []string{"wanted k8s.example.com"}},
	{name: "SAN of the domain", spoil: func(s spoiled) { s.resign("apiserver", nil, withoutName("kubernetes.default.svc.cluster.local")) }, want: []string{"apiserver SAN"}},
	{name: "SAN of the service", spoil: func(s spoiled) { s.resign("apiserver", nil, withoutName("10.96.0.1")) }, want: []string{"apiserver SAN"}, says: []string{"wanted 10.96.0.1"}},
	{name: "SANs of which the manifest tells", spoil: func(s spoiled) {
		s.do(os.Mkdir(s.path("manifests"), 0o700))
		s.write("manifests/kube-apiserver.yaml", []byte("{apiVersion: v1, kind: Pod, spec: {containers: [{name: kube-apiserver, command: [kube-apiserver, "+
			"--service-cluster-ip-range=172.20.0.0/16, --service-account-issuer=https://kubernetes.default.svc.corp.internal, --advertise-address=10.0.0.11]}]}}"))
	}, want: []string{"apiserver SAN"}, says: []string{"wanted kubernetes.default.svc.corp.internal, 172.20.0.1"}},
	{name: "no SANs", spoil: func(s spoiled) {
		s.resign("apiserver", nil, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil })
	}, want: []string{"apiserver SAN"}, says: []string{"nothing here says them"}},
	{name: "SAN of the address", spoil: func(s spoiled) { s.resign("apiserver", nil, withoutName("10.0.0.11")) }, want: []string{"apiserver SAN"}},
	{name: "SAN of etcd/peer", spoil: func(s spoiled) { s.resign(nameEtcdPeer, nil, withoutName("10.0.0.11")) }, want: []string{"etcd/peer SAN"}},
	{name: "other CA", spoil: func(s spoiled) {
		cert, key := s.otherCA(NameFrontProxyCA)
		s.resignBy("front-proxy-client", nil, cert, key, nil)
	}, want: []string{"front-proxy-client CA"}, notes: nil},
	{name: "one of many by another CA", spoil: func(s spoiled) {
		cert, key := s.otherCA(NameCA)
		s.resignBy("apiserver", nil, cert, key, nil)
	}, want: []string{"apiserver CA"}},
	{name: "CA swapped", spoil: func(s spoiled) {
		cert, key := s.otherCA(NameCA)
		s.write("pki/ca.crt", certPEM(cert))
		s.write("pki/ca.key", s.keyPEM(key))
	}, want: []string{"ca CA"}, says: []string{"the CA that has signed apiserver, apiserver-kubelet-client"}},
	{name: "two CAs while one is replaced", spoil: func(s spoiled) {
		cert, _ := s.otherCA(NameCA)
		s.write("pki/ca.crt", append(s.read("pki/ca.crt"), certPEM(cert)...))
	}},
	{name: "CA key missing", spoil: func(s spoiled) { s.do(os.Remove(s.path("pki/ca.key"))) }, notes: []string{"ca key"}},
	{name: "CA missing", spoil: func(s spoiled) { s.do(os.Remove(s.path("pki/ca.crt"))) }, want: []string{"ca file"}},
	{name: "CA ends soon", spoil: func(s spoiled) {
		s.resign(NameFrontProxyCA, nil, from(-300*ca.Day, 20*ca.Day))
	}, want: []string{"front-proxy-ca end"}, notes: []string{"front-proxy-client end"}},
	{name: "CA that may not sign", spoil: func(s spoiled) {
		s.resign(NameFrontProxyCA, nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })
	}, want: []string{"front-proxy-ca CA", "front-proxy-client CA"}},
	{name: "other key", spoil: func(s spoiled) { s.write("pki/apiserver.key", s.keyPEM(s.newKey())) }, want: []string{"apiserver key"}},
	{name: "other key in a kubeconfig", spoil: func(s spoiled) {
		config, err := clientcmd.LoadFromFile(s.path(NameAdmin))
		s.do(err)
		config.AuthInfos["kubernetes-admin"].ClientKeyData = s.keyPEM(s.newKey())
		data, err := clientcmd.Write(*config)
		s.do(err)
		s.write(NameAdmin, data)
	}, want: []string{"admin.conf key"}},
	{name: "other CA in a kubeconfig", spoil: func(s spoiled) {
		config, err := clientcmd.LoadFromFile(s.path(nameScheduler))
		s.do(err)
		cert, _ := s.otherCA(NameCA)
		config.Clusters["kubernetes"].CertificateAuthorityData = certPEM(cert)
		data, err := clientcmd.Write(*config)
		s.do(err)
		s.write(nameScheduler, data)
	}, want: []string{"scheduler.conf CA"}},
	{name: "server in a kubeconfig", spoil: func(s spoiled) {
		s.write(NameAdmin, []byte(strings.ReplaceAll(string(s.read(NameAdmin)), "k8s.example.com", "other.example.com")))
	}, want: []string{"admin.conf server"}, says: []string{"https://k8s.example.com:6443"}},
	{name: "local server in a kubeconfig", spoil: func(s spoiled) {
		s.write(nameControllerManager, []byte(strings.ReplaceAll(string(s.read(nameControllerManager)), "10.0.0.11", "10.0.0.12")))
	}, want: []string{"controller-manager.conf server"}},
	{name: "sa.pub of another", spoil: func(s spoiled) {
		der, err := x509.MarshalPKIXPublicKey(s.newKey().Public())
		s.do(err)
		s.write("pki/sa.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}, want: []string{"sa key"}},
	{name: "sa.pub missing", spoil: func(s spoiled) { s.do(os.Remove(s.path("pki/sa.pub"))) }, want: []string{"sa file"}},
	{name: "expired", spoil: func(s spoiled) { s.resign(nameEtcdHealth, nil, from(-48*time.Hour, -24*time.Hour)) }, want: []string{"etcd/healthcheck-client end"},
		says: []string{"pkictl cluster renew etcd/healthcheck-client"}},
	{name: "not yet valid", spoil: func(s spoiled) { s.resign("apiserver", nil, from(24*time.Hour, 90*24*time.Hour)) }, want: []string{"apiserver begin"}},
	{name: "ends soon", spoil: func(s spoiled) { s.resign(NameAdmin, nil, from(-300*ca.Day, 20*ca.Day)) }, want: []string{"admin.conf end"}},
	{name: "short-lived", spoil: func(s spoiled) { s.resign(NameAdmin, nil, from(-time.Hour, 8*time.Hour)) }},
	{name: "mode of a key", spoil: func(s spoiled) { s.do(os.Chmod(s.path("pki/etcd/server.key"), 0o644)) }, want: []string{"etcd/server mode"}, says: []string{"CIS 1.1.21", "chmod 600"}},
	{name: "mode of a certificate", spoil: func(s spoiled) { s.do(os.Chmod(s.path("pki/ca.crt"), 0o666)) }, want: []string{"ca mode"}, says: []string{"CIS 1.1.20"}},
	{name: "mode of a kubeconfig", spoil: func(s spoiled) { s.do(os.Chmod(s.path(NameAdmin), 0o640)) }, want: []string{"admin.conf mode"}, says: []string{"CIS 1.1.13"}},
	{name: "stricter modes", spoil: func(s spoiled) {
		s.do(os.Chmod(s.path("pki/ca.crt"), 0o600))
		s.do(os.Chmod(s.path("pki/ca.key"), 0o400))
	}},
	{name: "directory of a group", spoil: func(s spoiled) { s.do(os.Chmod(s.path("pki/etcd"), 0o775)) }, want: []string{"mode"}, says: []string{"chmod go-w"}},
	{name: "Ed25519", spoil: func(s spoiled) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		s.do(err)
		s.resign("front-proxy-client", key, nil)
	}, want: []string{"front-proxy-client key"}},
	{name: "RSA-1024", spoil: func(s spoiled) {
		key, err := rsa.GenerateKey(rand.Reader, 1024)
		s.do(err)
		s.resign(nameEtcdPeer, key, nil)
	}, want: []string{"etcd/peer key"}},
	{name: "half-written certificate", spoil: func(s spoiled) { data := s.read("pki/apiserver.crt"); s.write("pki/apiserver.crt", data[:len(data)/2]) }, want: []string{"apiserver file"}},
	{name: "half-written key", spoil: func(s spoiled) { data := s.read("pki/apiserver.key"); s.write("pki/apiserver.key", data[:len(data)/2]) }, want: []string{"apiserver file"}},
	{name: "half-written kubeconfig", spoil: func(s spoiled) { data := s.read(nameScheduler); s.write(nameScheduler, data[:len(data)/2]) }, want: []string{"scheduler.conf file"}},
	{name: "garbage", spoil: func(s spoiled) { s.write("pki/apiserver.crt", []byte("\x00\x1b[31m\xff\xfe")) }, want: []string{"apiserver file"}},
	{name: "garbage in a kubeconfig", spoil: func(s spoiled) { s.write(NameAdmin, []byte("\x00\x1b[31m\xff\xfe")) }, want: []string{"admin.conf file"}},
	{name: "empty", spoil: func(s spoiled) { s.write("pki/etcd/peer.crt", nil) }, want: []string{"etcd/peer file"}},
	{name: "empty kubeconfig", spoil: func(s spoiled) { s.write(NameKubelet, nil) }, want: []string{"kubelet.conf file"}},
	{name: "missing", spoil: func(s spoiled) {
		s.do(os.Remove(s.path("pki/apiserver.crt")))
		s.do(os.Remove(s.path("pki/apiserver.key")))
	}, want: []string{"apiserver file"}},
	{name: "named pipe", spoil: func(s spoiled) {
		s.do(os.Remove(s.path("pki/apiserver.key")))
		s.do(exec.Command("mkfifo", s.path("pki/apiserver.key")).Run())
	}, want: []string{"apiserver file"}},
	{name: "other key of a CA", spoil: func(s spoiled) { s.write("pki/front-proxy-ca.key", s.keyPEM(s.newKey())) }, want: []string{"front-proxy-ca key"}},
	{name: "intermediate CA", spoil: func(s spoiled) { s.underRoot(nil) }, notes: []string{"front-proxy-ca chain"}},
	{name: "intermediate CA with its chain", spoil: func(s spoiled) {
		root := s.underRoot(nil)
		s.write("pki/front-proxy-ca-chain.crt", append(s.read("pki/front-proxy-ca.crt"), certPEM(root)...))
	}},
	{name: "intermediate CA with its chain in its file", spoil: func(s spoiled) {
		root := s.underRoot(nil)
		s.write("pki/front-proxy-ca.crt", append(s.read("pki/front-proxy-ca.crt"), certPEM(root)...))
	}},
	{name: "intermediate CA with another root", spoil: func(s spoiled) {
		s.underRoot(nil)
		cert, _ := s.otherCA(NameCA)
		s.write("pki/front-proxy-ca-chain.crt", append(s.read("pki/front-proxy-ca.crt"), certPEM(cert)...))
	}, want: []string{"front-proxy-ca chain"}},
	{name: "root ends soon", spoil: func(s spoiled) {
		root := s.underRoot(from(-300*ca.Day, 20*ca.Day))
		s.write("pki/front-proxy-ca-chain.crt", append(s.read("pki/front-proxy-ca.crt"), certPEM(root)...))
	}, want: []string{"front-proxy-ca end"}},
	{name: "damaged chain", spoil: func(s spoiled) {
		s.underRoot(nil)
		s.write("pki/front-proxy-ca-chain.crt", []byte("-----BEGIN CERTIFICATE-----\n"))
	}, want: []string{"front-proxy-ca chain"}},
	{name: "super-admin.conf kept elsewhere", spoil: func(s spoiled) { s.do(os.Remove(s.path(NameSuperAdmin))) }},
	{name: "symbolic link", spoil: func(s spoiled) {
		s.do(os.Rename(s.path("pki/apiserver.crt"), s.path("elsewhere.crt")))
		s.do(os.Symlink("../elsewhere.crt", s.path("pki/apiserver.crt")))
	}, want: []string{"apiserver file"}, says: []string{"a symbolic link to ../elsewhere.crt"}},
	{name: "a change that was cut short", spoil: func(s spoiled) {
		s.do(os.MkdirAll(s.path("pki/.staging/new"), 0o700))
		s.do(os.Rename(s.path("pki/apiserver.crt"), s.path("pki/.staging/new/1")))
		s.do(os.Symlink(".staging/new/1", s.path("pki/apiserver.crt")))
	}, want: []string{"apiserver file"}, says: []string{"or was killed"}},
	{name: "directory", spoil: func(s spoiled) {
		s.do(os.Remove(s.path("pki/apiserver.crt")))
		s.do(os.Mkdir(s.path("pki/apiserver.crt"), 0o700))
	}, want: []string{"apiserver file"}},
	{name: "external etcd beside it", spoil: func(s spoiled) {
		for _, name := range []string{"server", "peer", "healthcheck-client"} {
			s.do(os.Remove(s.path("pki/etcd/" + name + ".crt")))
			s.do(os.Remove(s.path("pki/etcd/" + name + ".key")))
		}
		s.resign(nameAPIServerEtcd, nil, commonName("prod-apiserver"))
	}},
	{name: "external etcd's client ends", spoil: func(s spoiled) {
		s.do(os.RemoveAll(s.path("pki/etcd/server.crt")))
		for _, name := range []string{"server.key", "peer.crt", "peer.key", "healthcheck-client.crt", "healthcheck-client.key"} {
			s.do(os.Remove(s.path("pki/etcd/" + name)))
		}
		s.resign(nameAPIServerEtcd, nil, from(-300*ca.Day, 5*ca.Day))
	}, want: []string{"apiserver-etcd-client end"}, says: []string{"get it from who runs etcd"}},
	{name: "kubelet.conf that its kubelet has renewed, elsewhere", spoil: func(s spoiled) {
		config, err := clientcmd.LoadFromFile(s.path(NameKubelet))
		s.do(err)
		for _, user := range config.AuthInfos {
			user.ClientCertificateData, user.ClientKeyData = nil, nil
			user.ClientCertificate, user.ClientKey = "/nowhere/pki/kubelet-client-current.pem", "/nowhere/pki/kubelet-client-current.pem"
		}
		data, err := clientcmd.Write(*config)
		s.do(err)
		s.write(NameKubelet, data)
	}, notes: []string{"kubelet.conf file"}},
}
