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
		{title: "Audit policy", help: "what kube-apiserver writes down of requests: make a policy, or check one", words: "audit log lint generate rule", open: func(w *world) screen { return newForm(w, newFlowAudit(w)) }},
		{title: "API server", help: "audit log, encryption, Pod Security, TLS, CIS benchmark: change its static pod so that it comes back", words: "kube-apiserver flags patch check undo encryption admission anonymous hardening cis", open: func(w *world) screen { return newForm(w, newFlowAPIServer(w)) }},
		{title: "Inventory", help: "all certificates that were issued: find, renew, revoke, export them", words: "list table certificates expiring renew revoke export", open: func(w *world) screen { return newInventory(w) }},
		{title: "Practice labs", help: "Tasks as the CKA and CKS exams set them, graded on this machine, and an exam against the clock", words: "lab exam learn train cka cks task", open: newLabs},
	}
}
