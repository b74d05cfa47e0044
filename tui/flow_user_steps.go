package tui

import (
	"fmt"
	"slices"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
)

func (f *flowUser) steps() []step {
	return []step{f.clusterStep(), f.personStep(), f.accessStep(), f.certificateStep(), f.fileStep()}
}

func (f *flowUser) clusterStep() step {
	isOther := func() bool { return f.where == flowUserFile }
	notOther := func() bool { return !isOther() }
	return step{
		title: "Cluster",
		intro: "A person gets a key, a certificate, a kubeconfig with both, and a role. You need the rights to approve requests and to bind roles.",
		fields: []field{
			{
				key: "context", title: "Which cluster", choice: &f.where, options: f.clusters,
				help: "You act with the credential of the one you choose.",
			},
			{
				key: "kubeconfig", title: "Kubeconfig", text: &f.file, required: true, check: typedCheck(nil), hidden: notOther,
				help: "The file to reach the cluster with, as in /etc/kubernetes/admin.conf.",
			},
			{
				key: "context", title: "Context in it", text: &f.context, check: typedCheck(nil), hidden: notOther,
				help: "One of the contexts in that file; left empty, its current one.",
			},
		},
		load:  f.loadContexts,
		check: func() error { f.look(); return nil },
	}
}

// clusters are the contexts to choose from: the current one first, and then one
// in another file.
func (f *flowUser) clusters() []option {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []option{{value: "", label: "the current context", help: "What kubectl talks to without --context."}}
	for _, c := range f.contexts {
		help := fmt.Sprintf("Cluster %s at %s, as user %s.", text(c.Cluster), text(c.Server), text(c.User))
		switch {
		case f.w.Context != "" && c.Name == f.w.Context:
			list[0] = option{value: "", label: text(c.Name) + " (--context)", help: help}
			continue
		case f.w.Context == "" && c.IsCurrent:
			list[0] = option{value: "", label: text(c.Name) + " (current)", help: help}
			continue
		}
		list = append(list, option{value: flowUserContext + c.Name, label: text(c.Name), help: help})
	}
	return append(list, option{value: flowUserFile, label: "in another kubeconfig", help: "You name the file."})
}

func (f *flowUser) personStep() step {
	return step{
		title: "Person",
		intro: "Kubernetes keeps no list of people: a user is the name in a certificate, and a group is one of its organizations.",
		fields: []field{
			{
				title: "Name", text: &f.name, required: true, check: csr.CheckUserName,
				help: "The user name, as in jane or jane.doe@example.com. Roles are bound to it; nobody else should have it.",
			},
			{
				key: "group", title: "Groups", list: &f.groups,
				check: func(value string) error { return csr.CheckGroup(value, csr.ViaCA) }, // the signer is asked for later
				help:  "Groups of that person, with commas between, as in developers, oncall. What is bound to a group is for all in it. They stay in the certificate until it ends.",
			},
		},
		load: f.reloadOffer, // for the next step: while a name is typed
	}
}

func (f *flowUser) accessStep() step {
	inNamespace := func() bool { return f.access != flowUserCluster && f.access != flowUserNothing }
	return step{
		title: "Access",
		intro: "A role says what is allowed, and a binding gives it to the user. Bindings can be taken back at any time, other than the certificate.",
		fields: []field{
			{
				key: "role", title: "What", choice: &f.access, options: f.accessOptions,
				help: "Begin with the least that the work needs.",
			},
			{
				key: "namespace", title: "Namespace", text: &f.namespace, required: true, check: csr.CheckNamespace,
				hidden: func() bool { return !inNamespace() }, suggestions: func() []string { return f.offer().Namespaces },
				help: "The namespace in which it is allowed, and that kubectl then works in.",
			},
			{
				key: "role", title: "Role", text: &f.role, required: true, check: typedCheck(csr.CheckRole),
				hidden: func() bool { return f.access != flowUserRole }, suggestions: f.rolesThere,
				help: "A role of that namespace, or else a cluster role, which then counts in the namespace alone.",
			},
			{
				key: "cluster-role", title: "Cluster role", text: &f.clusterRole, required: true, check: typedCheck(csr.CheckRole),
				hidden: func() bool { return f.access != flowUserCluster }, suggestions: func() []string { return f.offer().ClusterRoles },
				help: "It counts in every namespace, those to come included: view reads all but secrets, edit reads secrets too. cluster-admin may do everything: for nearly nobody.",
			},
			{
				key: "namespace", title: "Default namespace", text: &f.contextNamespace, check: csr.CheckNamespace,
				hidden: inNamespace, suggestions: func() []string { return f.offer().Namespaces },
				help: "Where kubectl works without -n. It allows nothing by itself.", fallback: func() string { return "default" },
			},
		},
		load: f.loadOffer,
	}
}

func (f *flowUser) accessOptions() []option {
	return []option{
		{csr.RoleView, "read, in one namespace (view)", "See nearly everything in it, but no secrets, roles or bindings."},
		{csr.RoleEdit, "read and write, in one namespace (edit)", "Change nearly everything in it, read secrets, and run as any of its service accounts."},
		{csr.RoleAdmin, "all of one namespace (admin)", "As edit, and give roles in it to others."},
		{flowUserRole, "another role, in one namespace", "One that you have made, or any cluster role."},
		{flowUserCluster, "a role for the whole cluster", "In every namespace, and for what is in none, such as nodes. Much further than it looks."},
		{flowUserNothing, "nothing: only a certificate", "What everybody may who is logged in, and what their groups are bound to."},
	}
}

// rolesThere are those of the namespace, and behind them the cluster's.
func (f *flowUser) rolesThere() []string {
	offer := f.offer()
	return slices.Concat(offer.Roles[f.namespace], offer.ClusterRoles)
}

func (f *flowUser) certificateStep() step {
	isCA := func() bool { return f.via == string(csr.ViaCA) }
	return step{
		title: "Certificate",
		intro: "Nothing takes a client certificate back before it ends: user remove deletes bindings, but the certificate still logs in. So let it be short, and renew it.",
		fields: []field{
			{
				key: "for", title: "Valid for", choice: &f.lifetime, options: flowUserLifetimes,
				help: "It is renewed with: " + f.w.Program + " user renew.",
			},
			{
				key: "for", title: "For how long", text: &f.otherLifetime, required: true, check: f.checkFor,
				hidden: func() bool { return f.lifetime != flowUserOther },
				help:   "A length of time, as in 90m, 12h or 3d. By the cluster it is 10m at least, and the signer may give less.",
			},
			{
				key: "via", title: "Signed by", choice: &f.via, options: flowUserSigners,
				help: "The CA's key is needed where the cluster does not sign.",
			},
			{
				key: "dir", title: "PKI directory", text: &f.dir, check: typedCheck(nil), hidden: func() bool { return !isCA() },
				fallback: func() string { return f.w.Dir }, help: "With ca.crt and ca.key, which must be the cluster's. The certificate gets into its inventory.",
			},
			{
				key: "key", title: "Key", choice: &f.key, options: keyOptions,
				help: "It is made here, and leaves this machine in the kubeconfig alone.",
			},
		},
		check: f.checkGrant,
	}
}

// checkFor judges a lifetime that is typed.
func (f *flowUser) checkFor(value string) error {
	_, err := csr.ParseFor(value)
	return err
}

// checkGrant judges all answers together.
func (f *flowUser) checkGrant() error {
	g, err := f.grant()
	if err != nil {
		return err
	}
	return g.Check()
}

func flowUserLifetimes() []option {
	return []option{
		{"8h", "8 hours", "A working day."},
		{ca.FormatValidity(csr.DefaultFor), "24 hours", "A working day, and the morning after it."},
		{"7d", "7 days", "A lost laptop is an open door for the rest of the week."},
		{flowUserOther, "another time", "You type it."},
	}
}

func flowUserSigners() []option {
	return []option{
		{string(csr.ViaCSR), "the cluster", "By its certificates API: a request is sent, and approved by you."},
		{string(csr.ViaCA), "the CA in a PKI directory", "With the CA's key on this machine, which may ask for its passphrase."},
	}
}

func (f *flowUser) fileStep() step {
	return step{
		title: "Kubeconfig",
		intro: "The kubeconfig holds the key: who has the file is that user. It is written for you alone (mode 0600).",
		fields: []field{
			{
				key: "out", title: "File", text: &f.out, fallback: f.path, check: typedCheck(nil),
				help: "Where the kubeconfig goes. Hand it over on a way that nobody else can read.",
			},
			{
				key: "force", title: "Replace the file", yes: &f.force,
				help: "If it is there already; with a CA also its key and certificate in the PKI directory. And begins anew what was begun with other answers and is not complete.",
			},
		},
	}
}
