package cluster

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/staticpod"
)

// component is one process of the control plane, before it is started.
type component struct {
	name   string
	binary string
	args   []string
	ports  []int // that it listens on
	ready  staticpod.Probe
}

// components lists what the configuration asks for, in the order of starting.
// Each needs the ones before it.
func components(cfg Config, ports Ports) ([]component, error) {
	etcdReady, err := etcdProbe(cfg, ports)
	if err != nil {
		return nil, err
	}
	apiReady, err := apiServerProbe(cfg, ports)
	if err != nil {
		return nil, err
	}
	list := []component{{
		name: ComponentEtcd, binary: cfg.Assets.Etcd,
		args: etcdArgs(cfg, ports), ports: []int{ports.Etcd, ports.EtcdPeer}, ready: etcdReady,
	}, {
		name: ComponentAPIServer, binary: cfg.Assets.APIServer,
		args: apiServerArgs(cfg, ports), ports: []int{ports.APIServer}, ready: apiReady,
	}}
	if cfg.ControllerManagerKubeconfig != "" {
		list = append(list, component{
			name: ComponentControllerManager, binary: cfg.Assets.ControllerManager,
			args: controllerManagerArgs(cfg, ports), ports: []int{ports.ControllerManager},
			ready: controllerManagerProbe(ports),
		})
	}
	for i := range list {
		list[i].args = withExtra(list[i].args, cfg.ExtraArgs[list[i].name])
	}
	return list, nil
}

func etcdArgs(cfg Config, ports Ports) []string {
	client := httpsURL(ports.Etcd)
	args := []string{
		"--data-dir=" + filepath.Join(cfg.Dir, "etcd"),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--cert-file=" + cfg.pki("etcd/server.crt"),
		"--key-file=" + cfg.pki("etcd/server.key"),
		"--client-cert-auth=true",
		"--trusted-ca-file=" + cfg.pki("etcd/ca.crt"),
	}
	// There is no second member, so the peer port carries nothing; plain HTTP
	// will do where there is no peer certificate.
	peer := "http://" + address(ports.EtcdPeer)
	if cfg.has("etcd/peer.crt", "etcd/peer.key") {
		peer = httpsURL(ports.EtcdPeer)
		args = append(args,
			"--peer-cert-file="+cfg.pki("etcd/peer.crt"),
			"--peer-key-file="+cfg.pki("etcd/peer.key"),
			"--peer-client-cert-auth=true",
			"--peer-trusted-ca-file="+cfg.pki("etcd/ca.crt"))
	}
	args = append(args,
		"--listen-peer-urls="+peer,
		"--initial-advertise-peer-urls="+peer,
		"--initial-cluster=default="+peer)
	if cfg.UnsafeNoFsync {
		args = append(args, "--unsafe-no-fsync=true")
	}
	return args
}

// apiServerArgs are those of kubeadm (app/phases/controlplane/manifests.go), as
// far as they fit an API server that nobody but this machine reaches.
func apiServerArgs(cfg Config, ports Ports) []string {
	services := cmp.Or(cfg.ServiceCIDR, DefaultServiceCIDR)
	args := []string{
		"--etcd-servers=" + httpsURL(ports.Etcd),
		"--etcd-cafile=" + cfg.pki("etcd/ca.crt"),
		"--etcd-certfile=" + cfg.pki("apiserver-etcd-client.crt"),
		"--etcd-keyfile=" + cfg.pki("apiserver-etcd-client.key"),
		"--bind-address=" + loopback,
		"--secure-port=" + portString(ports.APIServer),
		"--advertise-address=" + advertised(services),
		"--endpoint-reconciler-type=none",
		"--client-ca-file=" + cfg.pki("ca.crt"),
		"--tls-cert-file=" + cfg.pki("apiserver.crt"),
		"--tls-private-key-file=" + cfg.pki("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc." + cmp.Or(cfg.DNSDomain, DefaultDNSDomain),
		"--service-account-key-file=" + cfg.pki("sa.pub"),
		"--service-account-signing-key-file=" + cfg.pki("sa.key"),
		"--service-cluster-ip-range=" + services,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--enable-bootstrap-token-auth=true",
		"--allow-privileged=true",
		// Ends the watches at a shutdown. By default it waits for their
		// clients to go, and one forgotten watch outlasts any grace time.
		"--shutdown-watch-termination-grace-period=2s",
	}
	if cfg.has("apiserver-kubelet-client.crt", "apiserver-kubelet-client.key") {
		args = append(args,
			"--kubelet-client-certificate="+cfg.pki("apiserver-kubelet-client.crt"),
			"--kubelet-client-key="+cfg.pki("apiserver-kubelet-client.key"),
			"--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname")
	}
	if cfg.has("front-proxy-ca.crt", "front-proxy-client.crt", "front-proxy-client.key") {
		args = append(args,
			"--requestheader-client-ca-file="+cfg.pki("front-proxy-ca.crt"),
			"--requestheader-allowed-names=front-proxy-client",
			"--requestheader-username-headers=X-Remote-User",
			"--requestheader-group-headers=X-Remote-Group",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-",
			"--proxy-client-cert-file="+cfg.pki("front-proxy-client.crt"),
			"--proxy-client-key-file="+cfg.pki("front-proxy-client.key"))
	}
	return args
}

// advertised returns an address of the family of the first service range, which
// kube-apiserver wants, and refuses if it is a loopback one. This one is never
// dialled: the reconciler, which would publish it, is off.
func advertised(services string) string {
	first, _, _ := strings.Cut(services, ",")
	if strings.Contains(first, ":") {
		return "fd00::10"
	}
	return "10.0.0.10"
}

func controllerManagerArgs(cfg Config, ports Ports) []string {
	kubeconfig := cfg.ControllerManagerKubeconfig
	signingCert, signingKey := cfg.pki("ca.crt"), cfg.pki("ca.key")
	if cfg.noSigning || !cfg.has("ca.key") {
		signingCert, signingKey = "", "" // as kubeadm has it for an external CA
	}
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=" + loopback,
		"--secure-port=" + portString(ports.ControllerManager),
		"--cluster-signing-cert-file=" + signingCert,
		"--cluster-signing-key-file=" + signingKey,
		"--root-ca-file=" + cfg.pki("ca.crt"),
		"--service-account-private-key-file=" + cfg.pki("sa.key"),
		// Without it, the signing controller may not write a CSR's status.
		"--use-service-account-credentials=true",
		"--controllers=*,bootstrapsigner,tokencleaner",
		// It is alone, and waiting for the lease of a killed predecessor
		// would take 15 s.
		"--leader-elect=false",
	}
}

// withExtra appends the extra flags and leaves out the defaults that they
// replace: a list flag given twice would add up, not be overridden.
func withExtra(defaults, extra []string) []string {
	replaced := map[string]bool{}
	for _, arg := range extra {
		replaced[flagName(arg)] = true
	}
	// kube-apiserver takes its authorizers from one of the two, never both.
	if replaced["authorization-config"] {
		replaced["authorization-mode"] = true
	}
	args := slices.DeleteFunc(slices.Clone(defaults), func(arg string) bool { return replaced[flagName(arg)] })
	return append(args, extra...)
}

// flagName returns "x" for "--x=y".
func flagName(arg string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	return name
}
