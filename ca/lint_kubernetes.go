package ca

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"
)

// Where the rules of Kubernetes stand.
const (
	citePKI    = "https://kubernetes.io/docs/setup/best-practices/certificates/"
	citeX509   = "https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates"
	citeNode   = "https://kubernetes.io/docs/reference/access-authn-authz/node/"
	citeRBAC   = "https://kubernetes.io/docs/concepts/security/rbac-good-practices/"
	citeGoTLS  = "https://pkg.go.dev/crypto/tls"
	citeGoName = "https://go.dev/doc/go1.15#commonname"
)

// nodePrefix begins the user name of a kubelet.
const nodePrefix = "system:node:"

// kubernetes runs the lints for what the parts of Kubernetes need. They are
// written in Go, so that what crypto/x509 and crypto/tls do is a rule, too.
func (l *linter) kubernetes(info *CertificateInfo) {
	cert := info.X509
	l.keyRules(cert)
	l.timeRules(cert)
	if cert.IsCA {
		if cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0 {
			l.add(SeverityError, "k8s_ca_key_usage", "RFC 5280: 4.2.1.3", "a CA whose key usage lacks cert sign can issue nothing")
		}
		return
	}
	server, client := hasUsage(cert, x509.ExtKeyUsageServerAuth), hasUsage(cert, x509.ExtKeyUsageClientAuth)
	anything := len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0
	switch {
	case anything:
		l.add(SeverityWarn, "k8s_extended_key_usage", citePKI, "it has no extended key usage, and passes for servers and clients alike")
	case !server && !client:
		l.add(SeverityWarn, "k8s_extended_key_usage", citePKI, "it has neither client auth nor server auth; no part of Kubernetes takes it")
	}
	if cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		l.add(SeverityError, "k8s_key_usage", "RFC 8446: 4.4.2.2", "its key usage lacks digital signature, without which there is no TLS 1.3")
	}
	if server && len(cert.DNSNames)+len(cert.IPAddresses) == 0 {
		l.add(SeverityError, "k8s_server_names", citeGoName, "a server without a DNS name or IP address among its alternative names is trusted by no client; they ignore the common name")
	}
	if client || anything {
		l.subjectRules(attributeTexts(cert, oidCommonName.String()), attributeTexts(cert, oidOrganization.String()), !server)
	}
}

func hasUsage(cert *x509.Certificate, usage x509.ExtKeyUsage) bool {
	return slices.Contains(cert.ExtKeyUsage, usage) || slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny)
}

func attributeTexts(cert *x509.Certificate, oid string) []string {
	var list []string
	for _, attribute := range cert.Subject.Names {
		if text, ok := attribute.Value.(string); ok && attribute.Type.String() == oid {
			list = append(list, text)
		}
	}
	return list
}

// keyRules say which keys the parts of Kubernetes load.
func (l *linter) keyRules(cert *x509.Certificate) {
	weak, useless := weakKey(cert.PublicKey)
	switch {
	case useless != "":
		l.add(SeverityError, "k8s_key_kind", citeGoTLS, "%s", useless)
	case weak != "":
		l.add(SeverityError, "k8s_key_kind", citeGoTLS, "%s", weak)
	case KeyName(cert.PublicKey) == string(Ed25519):
		l.add(SeverityWarn, "k8s_key_kind", citePKI, "%s", ed25519Warning)
	}
	switch cert.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.MD5WithRSA, x509.MD2WithRSA:
		l.add(SeverityError, "k8s_signature", "https://go.dev/doc/go1.24#cryptox509", "it is signed with %s, which no part of Kubernetes takes", cert.SignatureAlgorithm)
	}
}

func (l *linter) timeRules(cert *x509.Certificate) {
	now := l.options.Now
	switch {
	case now.Before(cert.NotBefore):
		l.add(SeverityInfo, "k8s_validity", "RFC 5280: 4.1.2.5", "it is not valid before %s", cert.NotBefore.UTC().Format(time.RFC3339))
	case now.After(cert.NotAfter):
		l.add(SeverityInfo, "k8s_validity", "RFC 5280: 4.1.2.5", "it expired on %s", cert.NotAfter.UTC().Format(time.RFC3339))
	}
	authority := l.options.CA
	if authority == nil || cert.Equal(authority.Certificate) || cert.CheckSignatureFrom(authority.Certificate) != nil {
		return
	}
	if end := authority.Certificate.NotAfter; cert.NotAfter.After(end) {
		l.add(SeverityWarn, "k8s_outlives_ca", "RFC 5280: 6.1", "it ends on %s, but its CA in %s does on %s",
			cert.NotAfter.UTC().Format(time.DateOnly), authority.Dir, end.UTC().Format(time.DateOnly))
	}
}

// subjectRules say what an API server makes of a subject. Of one that is a
// server's, too, such as etcd's, nobody may ever log in with it.
func (l *linter) subjectRules(commonNames, groups []string, clientOnly bool) {
	name := ""
	if len(commonNames) > 0 {
		name = commonNames[len(commonNames)-1] // as crypto/x509 has it
	}
	switch {
	case name == "" && clientOnly:
		l.add(SeverityError, "k8s_user_name", citeX509, "it has no common name, which is the user's name; an API server refuses it")
	case len(commonNames) > 1:
		l.add(SeverityWarn, "k8s_user_name", citeX509, "it has %d common names, of which the last counts: %q", len(commonNames), name)
	}
	isNode := slices.Contains(groups, groupNodes)
	switch node, named := strings.CutPrefix(name, nodePrefix); {
	case named && node == "":
		l.add(SeverityError, "k8s_node", citeNode, "the common name %q names no node", name)
	case named && !isNode:
		l.add(SeverityError, "k8s_node", citeNode, "%q without the group %s is no node to the node authorizer", name, groupNodes)
	case isNode && !named:
		l.add(SeverityError, "k8s_node", citeNode, "the group %s goes with a common name %sNAME, not %q", groupNodes, nodePrefix, name)
	}
	if slices.Contains(groups, GroupMasters) {
		l.add(SeverityWarn, "k8s_masters", citeRBAC, "the group %s passes every authorizer, and nothing but a new CA takes it back", GroupMasters)
	}
	for i, group := range groups {
		switch {
		case group == "":
			l.add(SeverityWarn, "k8s_groups", citeX509, "it has an organization that is empty")
		case slices.Contains(groups[:i], group):
			l.add(SeverityWarn, "k8s_groups", citeX509, "it has the group %q twice", group)
		}
	}
}
