package ca

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
)

// advice says who takes no notice that a certificate was revoked, and what
// helps instead. The certificate is nil where it was never written.
func advice(entry Entry, cert *x509.Certificate) []string {
	if cert == nil {
		return []string{"No certificate with this serial was handed out: the command that took the serial was killed."}
	}
	if cert.IsCA {
		return []string{
			"An API server reads no revocation list: it accepts what this CA has signed until " + showTime(cert.NotAfter) + ", where its --client-ca-file has this CA or one above it.",
			"What helps: take the CA out of every --client-ca-file and certificate-authority-data, and issue anew what it has issued.",
		}
	}
	isClient, isServer := mayServe(cert, PurposeClient), mayServe(cert, PurposeServer)
	var lines []string
	if isClient {
		lines = append(lines, adviceForClient(cert)...)
	}
	if isServer {
		lines = append(lines, fmt.Sprintf("kubectl, kubelets and API servers read no revocation list either: with its key one can pose as %s until %s.",
			strings.Join(hostNames(cert), ", "), showTime(cert.NotAfter)))
		if entry.State != StateReplaced {
			lines = append(lines, "What helps: issue another for the server, and if the key was stolen, give the server another name or its clients another CA.")
		}
	}
	readers := "etcd reads the list that --client-crl-file names"
	if isServer {
		readers += ", and of its peers the one of --peer-crl-file"
	}
	if isClient {
		lines = append(lines, readers+", in DER form (pkictl crl --der); nginx (ssl_crl), HAProxy (crl-file) and OpenVPN (crl-verify) read PEM.")
	}
	return lines
}

func adviceForClient(cert *x509.Certificate) []string {
	user, groups := cert.Subject.CommonName, cert.Subject.Organization
	lines := []string{"An API server reads no revocation list: it accepts this certificate until " + showTime(cert.NotAfter) + "."}
	node, isNode := strings.CutPrefix(user, "system:node:")
	switch {
	case slices.Contains(groups, GroupMasters):
		return append(lines, "Its group "+GroupMasters+" passes every authorizer: nothing but a new CA in --client-ca-file takes that back.")
	case isNode && slices.Contains(groups, "system:nodes"):
		return append(lines, "The Node authorizer lets it act as the kubelet of "+node+": nothing but a new CA in --client-ca-file takes that back.")
	}
	what := fmt.Sprintf("user %q", user)
	for _, group := range groups {
		what += fmt.Sprintf(" or group %q", group)
	}
	lines = append(lines, "What helps: delete the RoleBindings and ClusterRoleBindings of "+what+
		"; find them with: kubectl get rolebindings,clusterrolebindings -A -o wide")
	if len(groups) > 0 {
		lines = append(lines, "All members of a group lose what its bindings give; bind users, or issue for hours (--validity 8h), and no one needs to.")
	}
	return lines
}
