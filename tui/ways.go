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
		{title: "Certificate authority", help: "make a root CA or one below another, or take over one that is there", words: "ca init-ca root intermediate import kubeadm cfssl easy-rsa openssl", flow: func(w *world) flow { return newFlowCA(w) }},
		{title: "Credential", help: "a key and a certificate for a user or a server, and a kubeconfig", words: "issue certificate client server peer tls secret p12 pem kubeconfig", open: func(w *world) screen { return newFlowCredentialFirst(w) }, flow: func(w *world) flow { return newFlowCredential(w) }},
		{title: "User for a cluster", help: "from a name to a working kubeconfig, with the rights that they need", words: "user add csr approve role binding rbac access kubeconfig", flow: func(w *world) flow { return newFlowUser(w) }},
		{title: "Cluster PKI", help: "all keys, certificates and kubeconfigs of a control plane, as kubeadm lays them out", words: "cluster init kubeadm etcd control plane nodes", flow: func(w *world) flow { return newFlowCluster(w) }},
		{title: "Audit policy", help: "which requests kube-apiserver logs: make a policy, or check one", words: "audit log lint generate rule", flow: func(w *world) flow { return newFlowAudit(w) }},
		{title: "API server", help: "audit log, encryption, Pod Security, TLS, CIS: change its static pod so that it comes back", words: "kube-apiserver flags patch check undo encryption admission anonymous hardening cis manifest", flow: func(w *world) flow { return newFlowAPIServer(w) }},
		{title: "Inventory", help: "all certificates that were issued: find, renew, revoke, export them", words: "list table certificates expiring renew revoke export", open: func(w *world) screen { return newInventory(w) }, plain: inventoryPlain},
		{title: "Practice labs", help: "tasks as the CKA and CKS exams set them, graded here, and an exam against the clock", words: "lab exam learn train cka cks task", open: newLabs, plain: labsPlain},
	}
}
