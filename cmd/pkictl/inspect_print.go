package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// crlEntries is how many entries of a revocation list the text shows.
const crlEntries = 20

// itemTitles are the kinds of items in words.
var itemTitles = map[ca.ItemKind]string{
	ca.ItemCertificate: "Certificate",
	ca.ItemRequest:     "Certificate request",
	ca.ItemPrivateKey:  "Private key",
	ca.ItemPublicKey:   "Public key",
	ca.ItemCRL:         "Certificate revocation list",
	ca.ItemOther:       "PEM block",
	kindKubeconfig:     "Kubeconfig",
}

// text returns what writes the inspection for people.
func (r *inspection) text(now time.Time) func(w io.Writer) {
	return func(w io.Writer) {
		p := itemPrinter{w: w, now: now}
		if r.Server != nil {
			fmt.Fprintf(w, "Server %s presents %s\n", printable(r.Server.Address), count(len(r.Items), "certificate"))
			printChecks(w, "  ", r.Checks)
			fmt.Fprintln(w)
		}
		for i, item := range r.Items {
			if i > 0 {
				fmt.Fprintln(w)
			}
			where := " in " + r.Source
			switch {
			case r.Server != nil:
				where = fmt.Sprintf(" %d", i+1)
			case len(r.Items) > 1 && item.Block > 0:
				where = fmt.Sprintf(" in block %d of %s", item.Block, r.Source)
			case item.State != "":
				where = " in the inventory, " + string(item.State)
			}
			fmt.Fprintln(w, printable(itemTitles[item.Kind]+where))
			p.item(item)
		}
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// itemPrinter writes items as text.
type itemPrinter struct {
	w      io.Writer
	now    time.Time
	indent string
}

// in returns a printer that writes further to the right.
func (p itemPrinter) in() itemPrinter {
	p.indent += "  "
	return p
}

func (p itemPrinter) rows(rows ...row) { printRows(p.w, p.indent+"  ", rows...) }

func (p itemPrinter) item(item inspectedItem) {
	switch {
	case item.Certificate != nil:
		p.certificate(item.Certificate)
	case item.Request != nil:
		p.request(item.Request)
	case item.Key != nil:
		p.key(item.Key)
	case item.CRL != nil:
		p.crl(item.CRL)
	case item.Kubeconfig != nil:
		p.kubeconfig(item.Kubeconfig)
	default:
		p.rows(row{"label", item.Label})
	}
	printChecks(p.w, p.indent+"  ", item.Checks)
}

func (p itemPrinter) certificate(c *ca.CertificateInfo) {
	selfSigned := "no"
	if c.SelfSigned {
		selfSigned = "yes"
	} else if c.SelfSignedReason != "" {
		selfSigned = "no: " + c.SelfSignedReason
	}
	rows := []row{
		{"subject", c.Subject},
		{"issuer", c.Issuer},
		{"self-signed", selfSigned},
		{"serial", c.Serial},
		{"version", strconv.Itoa(c.Version)},
		{"begins", begins(c.NotBefore, p.now)},
		{"ends", ends(c.NotAfter, p.now)},
		{"key", keyText(c.PublicKey)},
		{"signature", c.SignatureAlgorithm},
	}
	rows = append(rows, requestedRows(c.RequestedInfo)...)
	rows = append(rows,
		row{"subject key ID", c.SubjectKeyID},
		row{"authority key ID", c.AuthorityKeyID},
		row{"CRL", strings.Join(c.CRLs, ", ")},
		row{"OCSP", strings.Join(c.OCSP, ", ")},
		row{"CA issuers", strings.Join(c.CAIssuers, ", ")},
		row{"policies", strings.Join(c.Policies, ", ")},
	)
	if c.NameConstraints != nil {
		critical := criticalMark(c.RequestedInfo, ca.ExtNameConstraints)
		rows = append(rows,
			row{"permitted names", marked(strings.Join(c.NameConstraints.Permitted, ", "), critical)},
			row{"excluded names", marked(strings.Join(c.NameConstraints.Excluded, ", "), critical)},
		)
	}
	rows = append(rows, extensionRows(c.Extensions)...)
	if c.Kubernetes != nil {
		rows = append(rows, row{"Kubernetes user", c.Kubernetes.User},
			row{"Kubernetes groups", strings.Join(c.Kubernetes.Groups, ", ")})
	}
	p.rows(append(rows,
		row{"SHA-256", c.SHA256},
		row{"SHA-1", c.SHA1},
		row{"public key SHA-256", c.PublicKey.SHA256},
	)...)
}

func (p itemPrinter) request(r *ca.RequestInfo) {
	signature := "valid"
	if !r.SignatureValid {
		signature = "NOT valid: " + r.SignatureReason
	}
	rows := []row{
		{"subject", r.Subject},
		{"key", keyText(r.PublicKey)},
		{"signature", r.SignatureAlgorithm + ", " + signature},
	}
	rows = append(rows, requestedRows(r.RequestedInfo)...)
	rows = append(rows, extensionRows(r.Extensions)...)
	p.rows(append(rows, row{"public key SHA-256", r.PublicKey.SHA256})...)
}

func (p itemPrinter) key(k *ca.KeyInfo) {
	encrypted := ""
	if k.Encrypted {
		encrypted = "yes"
		if k.Encryption != nil {
			encrypted = "with " + k.Encryption.String()
		}
	}
	p.rows(
		row{"key", keyText(*k)},
		row{"format", k.Format},
		row{"encrypted", encrypted},
		row{"in the PKCS#11 token", k.Token},
		row{"public key SHA-256", k.SHA256},
	)
}

func (p itemPrinter) crl(c *ca.CRLInfo) {
	next := "not said"
	if c.NextUpdate != nil {
		next = utc(*c.NextUpdate) + " (in " + left(c.NextUpdate.Sub(p.now)) + ")"
		if c.NextUpdate.Before(p.now) {
			next = utc(*c.NextUpdate) + " (overdue since " + left(p.now.Sub(*c.NextUpdate)) + ")"
		}
	}
	p.rows(append([]row{
		{"issuer", c.Issuer},
		{"version", strconv.Itoa(c.Version)},
		{"number", c.Number},
		{"this update", begins(c.ThisUpdate, p.now)},
		{"next update", next},
		{"authority key ID", c.AuthorityKeyID},
		{"revoked", count(c.Count, "certificate")},
	}, extensionRows(c.Extensions)...)...)
	if c.Count == 0 {
		return
	}
	t := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s  SERIAL\tREVOKED\tREASON\n", p.indent)
	for _, entry := range c.Entries[:min(c.Count, crlEntries)] {
		fmt.Fprintf(t, "%s  %s\t%s\t%s\n", p.indent, entry.Serial, utc(entry.RevokedAt), dash(entry.Reason))
	}
	_ = t.Flush() // w is a buffer
	if c.Count > crlEntries {
		fmt.Fprintf(p.w, "%s  and %d more; -o json has all\n", p.indent, c.Count-crlEntries)
	}
}

// requestedRows are the usages, constraints and names.
func requestedRows(r ca.RequestedInfo) []row {
	rows := []row{
		{"key usages", marked(strings.Join(r.KeyUsages, ", "), criticalMark(r, ca.ExtKeyUsage))},
		{"extended usages", marked(strings.Join(r.ExtendedKeyUsages, ", "), criticalMark(r, ca.ExtExtendedKeyUsage))},
	}
	if r.BasicConstraints != nil {
		constraints := "not a CA"
		if r.BasicConstraints.CA {
			constraints = "CA, any path length"
		}
		if length := r.BasicConstraints.PathLength; length != nil {
			constraints = fmt.Sprintf("CA, path length %d", *length)
		}
		rows = append(rows, row{"basic constraints", marked(constraints, criticalMark(r, ca.ExtBasicConstraints))})
	}
	if r.SANs == nil {
		return rows
	}
	critical := criticalMark(r, ca.ExtSANs)
	return append(rows,
		row{"DNS names", marked(strings.Join(r.SANs.DNS, ", "), critical)},
		row{"IP addresses", marked(strings.Join(r.SANs.IP, ", "), critical)},
		row{"URIs", marked(strings.Join(r.SANs.URI, ", "), critical)},
		row{"e-mail addresses", marked(strings.Join(r.SANs.Email, ", "), critical)},
		row{"other names", marked(strings.Join(r.SANs.Other, ", "), critical)},
	)
}

func criticalMark(r ca.RequestedInfo, extension string) string {
	if r.IsCritical(extension) {
		return " (critical)"
	}
	return ""
}

// marked adds a mark to a value that is there.
func marked(value, mark string) string {
	if value == "" {
		return ""
	}
	return value + mark
}

// extensionRows are the extensions that have no row of their own.
func extensionRows(extensions []ca.Extension) []row {
	var rows []row
	for _, e := range extensions {
		if e.Name != "" {
			continue
		}
		critical := ""
		if e.Critical {
			critical = " (critical)"
		}
		rows = append(rows, row{"extension " + e.OID, fmt.Sprintf("%d octets%s", e.Length, critical)})
	}
	return rows
}

func keyText(k ca.KeyInfo) string {
	if k.Exponent != 0 {
		return fmt.Sprintf("%s, exponent %d", k.Kind, k.Exponent)
	}
	return k.Kind
}

// begins shows a beginning, and how far off it is where that is still to come.
func begins(t, now time.Time) string {
	shown := utc(t)
	if t.After(now) {
		return shown + " (not yet: in " + left(t.Sub(now)) + ")"
	}
	return shown
}

// printChecks writes each check on a line of its own.
func printChecks(w io.Writer, indent string, checks []ca.Check) {
	marks := map[ca.CheckStatus]string{ca.CheckOK: "ok", ca.CheckFailed: "FAIL", ca.CheckSkipped: "-"}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, check := range checks {
		said := "wanted " + check.Wanted + "; found " + check.Found
		if check.Status == ca.CheckSkipped {
			said = "not checked: " + check.Reason
		}
		if check.Hint != "" {
			said += " (hint: " + check.Hint + ")"
		}
		fmt.Fprintf(t, "%s%s\t%s\t%s\n", indent, marks[check.Status], check.Name, printable(said))
	}
	_ = t.Flush() // w is a buffer
}
