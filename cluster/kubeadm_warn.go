package cluster

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What a configuration of kubeadm asks for that bears on certificates and that
// Settings cannot hold.

// certificateFlags returns the flags of a component, by the path of its
// extraArgs, that take certificates, keys, names or addresses from elsewhere
// than the PKI that is made.
func certificateFlags(path string) []string {
	switch path {
	case "apiServer.extraArgs":
		return []string{
			"advertise-address", "client-ca-file", "etcd-cafile", "etcd-certfile", "etcd-keyfile", "etcd-servers",
			"kubelet-certificate-authority", "kubelet-client-certificate", "kubelet-client-key", "proxy-client-cert-file",
			"proxy-client-key-file", "requestheader-allowed-names", "requestheader-client-ca-file", "secure-port",
			"service-account-key-file", "service-account-signing-key-file", "service-cluster-ip-range", "tls-cert-file",
			"tls-private-key-file", "tls-sni-cert-key",
		}
	case "controllerManager.extraArgs":
		return []string{
			"authentication-kubeconfig", "authorization-kubeconfig", "client-ca-file", "cluster-name", "cluster-signing-cert-file",
			"cluster-signing-key-file", "kubeconfig", "requestheader-client-ca-file", "root-ca-file",
			"service-account-private-key-file", "tls-cert-file", "tls-private-key-file",
		}
	case "scheduler.extraArgs":
		return []string{
			"authentication-kubeconfig", "authorization-kubeconfig", "client-ca-file", "kubeconfig", "requestheader-client-ca-file",
			"tls-cert-file", "tls-private-key-file",
		}
	case "etcd.local.extraArgs":
		return []string{
			"advertise-client-urls", "cert-file", "initial-advertise-peer-urls", "key-file", "listen-client-urls", "listen-peer-urls",
			"name", "peer-cert-file", "peer-key-file", "peer-trusted-ca-file", "trusted-ca-file",
		}
	case "nodeRegistration.kubeletExtraArgs":
		return []string{
			"bootstrap-kubeconfig", "cert-dir", "client-ca-file", "hostname-override", "kubeconfig", "node-ip", "tls-cert-file",
			"tls-private-key-file",
		}
	}
	return nil
}

func (r *kubeadmReader) warnCluster(d *strictDecoder, c kubeadmCluster) {
	if c.CertificatesDir != "" && c.CertificatesDir != kubeadmPKI {
		r.warn(d, "certificatesDir", "is not heeded: files are made for "+kubeadmPKI+", in pki of the cluster directory")
	}
	if c.Etcd.External != nil {
		r.warn(d, "etcd.external", "means that nothing is made for etcd; its CA and client certificate have to be there for the API server")
	}
	r.warnArgs(d, "apiServer.extraArgs", c.APIServer.ExtraArgs)
	r.warnArgs(d, "controllerManager.extraArgs", c.ControllerManager.ExtraArgs)
	r.warnArgs(d, "scheduler.extraArgs", c.Scheduler.ExtraArgs)
	r.warnArgs(d, "etcd.local.extraArgs", c.Etcd.Local.ExtraArgs)
	if c.FeatureGates["PublicKeysECDSA"] { // until v1.36 removed it
		r.warn(d, "featureGates.PublicKeysECDSA", "is not heeded: give --key ecdsa-p256")
	}
}

func (r *kubeadmReader) warnNode(d *strictDecoder, registration kubeadmNodeRegistration) {
	r.warnArgs(d, "nodeRegistration.kubeletExtraArgs", registration.KubeletExtraArgs)
}

func (r *kubeadmReader) warnArgs(d *strictDecoder, path string, args kubeadmArgs) {
	flags := certificateFlags(path)
	for i, arg := range args {
		if slices.Contains(flags, arg.Name) {
			r.warnAt(d.places[argPath(path, i)], path+" "+arg.Name+" is not heeded: certificates are made as if it were not set")
		}
	}
}

func (r *kubeadmReader) warnPhases(d *strictDecoder, skipped []string, dryRun bool) {
	for _, phase := range skipped {
		if name, _, _ := strings.Cut(phase, "/"); name == "certs" || name == "kubeconfig" {
			r.warn(d, "skipPhases", "is not heeded: nothing is left out")
			break
		}
	}
	if dryRun {
		r.warn(d, "dryRun", "is not heeded: give --dry-run")
	}
}

func (r *kubeadmReader) warn(d *strictDecoder, path, what string) {
	r.warnAt(d.places[path], path+" "+what)
}

func (r *kubeadmReader) warnAt(n *yaml.Node, what string) {
	r.warnings = append(r.warnings, fmt.Sprintf("%q, line %d: %s", r.Name, n.Line, what))
}
