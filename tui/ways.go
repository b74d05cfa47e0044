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
		{"Certificate authority", "Make a CA, one below another, or take over one that is there", "ca init-ca root intermediate import kubeadm cfssl easy-rsa openssl", func(w *world) screen { return newForm(w, newFlowCA(w)) }},
		{"Credential", "A key and a certificate for a user or a server, and a kubeconfig", "issue certificate client server peer tls secret p12 pem kubeconfig", func(w *world) screen { return newForm(w, newFlowCredential(w)) }},
	}
}
