package cluster

import "slices"

// Names of components beside those that Start runs.
const (
	ComponentScheduler = "kube-scheduler"
	ComponentKubelet   = "kubelet"
)

// Restart says what a component needs after files that it uses were renewed.
type Restart struct {
	// Component is the one that restarts; empty where none needs to.
	Component string `json:"component,omitempty"`
	// Files are the renewed ones that it is for, named as in the layout.
	Files []string `json:"files"`
	// Must says that the component goes on with the old files until it restarts.
	// Otherwise it reads the new ones by itself, and a restart only makes that
	// certain and immediate.
	Must bool   `json:"must"`
	Why  string `json:"why"`
	How  string `json:"how,omitempty"`
	// StaticPod says that RestartStaticPods can do it.
	StaticPod bool `json:"staticPod"`
}

// restartRule says for some files of the layout who uses them, and when they
// are read. Read off the sources of Kubernetes v1.36.3 and etcd v3.6.8.
type restartRule struct {
	files     []string
	component string
	must      bool
	why       string
}

const (
	howStaticPod = "move its manifest out of the kubelet's directory, wait until it is down, move it back and wait until it is healthy, as --restart static-pods does"
	howKubelet   = "systemctl restart kubelet"
	howAdmin     = "replace copies of it, such as ~/.kube/config"
)

// restartRules are in the order of the restarts: each component needs the ones
// before it.
var restartRules = []restartRule{{
	// client/pkg/transport/listener.go: GetCertificate and GetClientCertificate of baseConfig.
	files: []string{"etcd/server", "etcd/peer"}, component: ComponentEtcd,
	why: "etcd reads the pair at each handshake; connections that exist keep the old one",
}, {
	// apiserver/pkg/server/dynamiccertificates/dynamic_serving_content.go, which
	// kube-aggregator/pkg/apiserver/apiserver.go also uses for the front proxy's pair.
	files: []string{"apiserver", "front-proxy-client"}, component: ComponentAPIServer,
	why: "kube-apiserver watches the files, and has read them again a minute later",
}, {
	// pkg/kubelet/client/kubelet_client.go: ReloadTLSFiles;
	// client-go/transport/cert_rotation.go: CertCallbackRefreshDuration.
	files: []string{"apiserver-kubelet-client"}, component: ComponentAPIServer,
	why: "kube-apiserver reads the pair again every five minutes",
}, {
	// apiserver/pkg/storage/storagebackend/factory/etcd3.go: etcd's own transport, as above.
	files: []string{"apiserver-etcd-client"}, component: ComponentAPIServer,
	why: "kube-apiserver reads the pair whenever it connects to etcd; etcd does not look at it again on connections that exist",
}, {
	// clientcmd.BuildConfigFromFlags in cmd/kube-controller-manager/app/options/options.go;
	// client-go/transport/transport.go: loadTLSFiles reloads files, never what is embedded.
	files: []string{"controller-manager.conf"}, component: ComponentControllerManager, must: true,
	why: "kube-controller-manager reads its kubeconfig when it starts, and never again",
}, {
	// The same in cmd/kube-scheduler/app/options/options.go.
	files: []string{"scheduler.conf"}, component: ComponentScheduler, must: true,
	why: "kube-scheduler reads its kubeconfig when it starts, and never again",
}, {
	// buildKubeletClientConfig in cmd/kubelet/app/server.go.
	files: []string{NameKubelet}, component: ComponentKubelet, must: true,
	why: "the kubelet reads its kubeconfig when it starts; what it renews by itself is in /var/lib/kubelet/pki",
}, {
	files: []string{"etcd/healthcheck-client"},
	why:   "no process holds it: probes and etcdctl read it each time",
}, {
	files: []string{NameAdmin, NameSuperAdmin},
	why:   "no process holds them: kubectl reads its kubeconfig each time",
}}

// RestartOrder says which components need a restart after files were renewed,
// in the order in which they must restart, and which do not and why. The names
// are those of the Layout, such as apiserver, etcd/server and scheduler.conf. What
// is not renewed, CAs and the keys of service accounts, is passed over: to
// replace it takes more than restarts. Restarts without a component are last.
func RestartOrder(renewed []string) []Restart {
	var order []Restart
	for _, rule := range restartRules {
		var files []string
		for _, file := range rule.files {
			if slices.Contains(renewed, file) {
				files = append(files, file)
			}
		}
		if files == nil {
			continue
		}
		if last := len(order) - 1; last >= 0 && rule.component != "" && order[last].Component == rule.component {
			order[last].Files = append(order[last].Files, files...)
			order[last].Must = order[last].Must || rule.must
			order[last].Why += "; " + rule.why
			continue
		}
		order = append(order, rule.restart(files))
	}
	return order
}

func (r restartRule) restart(files []string) Restart {
	restart := Restart{Component: r.component, Files: files, Must: r.must, Why: r.why}
	switch {
	case slices.Contains(staticPods, r.component):
		restart.How, restart.StaticPod = howStaticPod, true
	case r.component == ComponentKubelet:
		restart.How = howKubelet
	case slices.Contains(r.files, NameAdmin):
		restart.How = howAdmin
	}
	return restart
}

// staticPods are the components that kubeadm runs as static pods, in the order
// of their restarts.
var staticPods = []string{ComponentEtcd, ComponentAPIServer, ComponentControllerManager, ComponentScheduler}

// StaticPods returns the components of restarts that RestartStaticPods can
// restart, in their order.
func StaticPods(restarts []Restart) []string {
	var components []string
	for _, r := range restarts {
		if r.StaticPod {
			components = append(components, r.Component)
		}
	}
	return components
}
