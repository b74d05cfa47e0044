package tui

// way is one of the ways on from the first screen.
type way struct {
	title string
	help  string // what one gets there, in a line
	words string // more that typing finds it by
	open  func(*world) screen
}

// ways are the ways on, in the order in which the first screen lists them.
func ways() []way {
	return []way{
		{title: "User for a cluster", help: "a person's kubeconfig, with a role and an end", words: "user add rbac role access person namespace", open: func(w *world) screen { return newForm(w, newFlowUser(w)) }},
		{title: "PKI of a control plane", help: "all certificates and kubeconfigs of its nodes", words: "cluster init kubeadm etcd control plane nodes", open: func(w *world) screen { return newForm(w, newFlowCluster(w)) }},
	}
}
