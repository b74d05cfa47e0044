package cluster

import (
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// isRenewable says whether an entry has a certificate that a CA has signed.
func (e Entry) isRenewable() bool { return e.Kind == KindLeaf || e.Kind == KindKubeconfig }

// RenewableNames are the names of what Renew renews, in the order of the layout.
func RenewableNames() []string {
	var names []string
	for _, e := range Layout() {
		if e.isRenewable() {
			names = append(names, e.Name)
		}
	}
	return names
}

// RenewableName returns the name in the layout for what people call an entry:
// that name, or kubeadm's, which has etcd-server for etcd/server
// (cmd/kubeadm/app/phases/certs/certlist.go). Another one is an error of kind Usage.
func RenewableName(text string) (string, error) {
	names := RenewableNames()
	for _, name := range names {
		if text == name || text == strings.ReplaceAll(name, "/", "-") {
			return name, nil
		}
	}
	isText := func(e Entry) bool { return text == e.Name || text == strings.ReplaceAll(e.Name, "/", "-") }
	if i := slices.IndexFunc(Layout(), isText); i >= 0 {
		return "", failure.New(failure.Usage, "name one of "+strings.Join(names, ", "), "%q is not renewed: all that it has signed goes with it", text)
	}
	hint := "known: " + strings.Join(names, ", ")
	if similar := failure.Closest(text, names); similar != "" {
		hint = "did you mean " + similar + "? " + hint
	}
	if text == "all" { // as kubeadm calls it
		hint = "leave it out to renew all"
	}
	return "", failure.New(failure.Usage, hint, "there is no certificate %s in a control plane", shown(text))
}
