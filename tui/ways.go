package tui

import (
	"context"
	"io"
)

// way is one of the ways on from the first screen: a flow, or a screen of its own
// with what takes its place in plain lines.
type way struct {
	title string
	help  string // what one gets there, in a line
	words string // more that typing finds it by

	flow  func(*world) flow
	open  func(*world) screen
	plain func(ctx context.Context, w *world, in io.Reader, out io.Writer) error
}

// screen returns the first screen of the way.
func (y way) screen(w *world) screen {
	if y.open != nil {
		return y.open(w)
	}
	return w.openFlow(y.title, y.flow)
}

// isPlain says whether the way can be gone in plain lines.
func (y way) isPlain() bool { return y.plain != nil || y.flow != nil }

// inLines goes the way in plain lines.
func (y way) inLines(ctx context.Context, w *world, in io.Reader, out io.Writer) error {
	if y.plain != nil {
		return y.plain(ctx, w, in, out)
	}
	return formPlain(ctx, w, y.flow(w), in, out)
}

// ways are the ways on, in the order in which the first screen lists them.
func ways() []way {
	return []way{
		{title: "Certificate authority", help: "make a root or intermediate CA, or take one over", words: "ca init-ca root intermediate import kubeadm cfssl easy-rsa openssl", flow: func(w *world) flow { return newFlowCA(w) }},
		{title: "Credential", help: "key, certificate, kubeconfig for a user or server", words: "issue certificate client server peer tls secret p12 pem kubeconfig", open: func(w *world) screen { return newFlowCredentialFirst(w) }, flow: func(w *world) flow { return newFlowCredential(w) }},
		{title: "User for a cluster", help: "from a name to a kubeconfig and the rights for it", words: "user add csr approve role binding rbac access kubeconfig", flow: func(w *world) flow { return newFlowUser(w) }},
		{title: "Cluster PKI", help: "a control plane's PKI, as kubeadm lays it out", words: "cluster init kubeadm etcd control plane nodes", flow: func(w *world) flow { return newFlowCluster(w) }},
		{title: "Audit policy", help: "what kube-apiserver logs: make or check a policy", words: "audit log lint generate rule", flow: func(w *world) flow { return newFlowAudit(w) }},
		{title: "API server", help: "change its flags: audit, encryption, TLS, CIS", words: "kube-apiserver flags patch check undo encryption admission anonymous hardening cis manifest", flow: func(w *world) flow { return newFlowAPIServer(w) }},
		{title: "Inventory", help: "find, renew, revoke, export what was issued", words: "list table certificates expiring renew revoke export", open: func(w *world) screen { return newInventory(w) }, plain: inventoryPlain},
		{title: "Practice labs", help: "tasks as the CKA and CKS set them, and an exam", words: "lab exam learn train cka cks task", open: newLabs, plain: labsPlain},
	}
}
