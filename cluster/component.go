package cluster

import (
	"path/filepath"
	"slices"
	"strings"
)

// component is one process of the control plane, before it is started.
type component struct {
	name   string
	binary string
	args   []string
	ports  []int // that it listens on
	ready  probe
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
	// There is no second member, so the peer port carries nothing; plain HTTP
	// spares a peer certificate.
	peer := "http://" + address(ports.EtcdPeer)
	args := []string{
		"--data-dir=" + filepath.Join(cfg.Dir, "etcd"),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--cert-file=" + cfg.pki("etcd/server.crt"),
		"--key-file=" + cfg.pki("etcd/server.key"),
		"--client-cert-auth=true",
		"--trusted-ca-file=" + cfg.pki("etcd/ca.crt"),
	}
	if cfg.UnsafeNoFsync {
		args = append(args, "--unsafe-no-fsync=true")
	}
	return args
}

func apiServerArgs(cfg Config, ports Ports) []string {
	return []string{
		"--etcd-servers=" + httpsURL(ports.Etcd),
		"--etcd-cafile=" + cfg.pki("etcd/ca.crt"),
		"--etcd-certfile=" + cfg.pki("apiserver-etcd-client.crt"),
		"--etcd-keyfile=" + cfg.pki("apiserver-etcd-client.key"),
		"--bind-address=" + loopback,
		"--secure-port=" + portString(ports.APIServer),
		// A loopback address is refused here. This one is never dialled: the
		// reconciler, which would publish it, is off.
		"--advertise-address=10.0.0.10",
		"--endpoint-reconciler-type=none",
		"--client-ca-file=" + cfg.pki("ca.crt"),
		"--tls-cert-file=" + cfg.pki("apiserver.crt"),
		"--tls-private-key-file=" + cfg.pki("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + cfg.pki("sa.pub"),
		"--service-account-signing-key-file=" + cfg.pki("sa.key"),
		"--service-cluster-ip-range=10.96.0.0/12",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		// Ends the watches at a shutdown. By default it waits for their
		// clients to go, and one forgotten watch outlasts any grace time.
		"--shutdown-watch-termination-grace-period=2s",
	}
}

func controllerManagerArgs(cfg Config, ports Ports) []string {
	kubeconfig := cfg.ControllerManagerKubeconfig
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=" + loopback,
		"--secure-port=" + portString(ports.ControllerManager),
		"--cluster-signing-cert-file=" + cfg.pki("ca.crt"),
		"--cluster-signing-key-file=" + cfg.pki("ca.key"),
		"--root-ca-file=" + cfg.pki("ca.crt"),
		"--service-account-private-key-file=" + cfg.pki("sa.key"),
		// Without it, the signing controller may not write a CSR's status.
		"--use-service-account-credentials=true",
		"--controllers=*",
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
