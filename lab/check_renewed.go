package lab

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// readRenewedCheck reads the parameters of a check that certificates of the lab's
// cluster were renewed: they are others than when the lab was started, for the same
// names and purposes, by the same CA, with the key that is beside them.
//
//	certificates  {apiserver: ca}: names below cluster/pki without .crt, and those of
//	              the CAs that have signed them
//	lasts         how long each is valid from now on at least, as in 300d
//	others        unchanged: nothing else is another than it was: no other
//	              certificate, key or kubeconfig. Only that is asked for then, and
//	              that the certificates are other ones
func readRenewedCheck(p *params) (grader, error) {
	c := &renewedCheck{issuers: map[string]string{}}
	err := p.fields(
		yamlfile.Key{Name: "certificates", Read: func(n *yaml.Node) error {
			return p.Entries(n, "certificates", func(key, value *yaml.Node) error {
				issuer, err := p.Text(value, "the CA of "+key.Value)
				if err == nil && (!isFileName(key.Value) || !isFileName(issuer)) {
					err = p.ErrorAt(key, "write {apiserver: ca}", "%q is no certificate of a cluster", key.Value)
				}
				c.issuers[key.Value] = issuer
				return err
			})
		}},
		p.lasts(&c.lasts),
		yamlfile.Key{Name: "others", Read: func(n *yaml.Node) error { c.others = true; return p.constant("unchanged")(n) }},
	)
	if err == nil && (len(c.issuers) == 0 || (c.lasts > 0) == c.others) {
		err = p.ErrorAt(p.node, "write certificates, and lasts or others", "%s asks for nothing, or for too much", p.what)
	}
	return c.grade, err
}

// lasts reads how long a certificate is valid from now on.
func (p *params) lasts(to *time.Duration) yamlfile.Key {
	return yamlfile.Key{Name: "lasts", Read: func(n *yaml.Node) error {
		text, err := p.Text(n, "lasts")
		if err == nil {
			*to, err = ca.ParseValidity(text)
		}
		return p.At(n, err)
	}}
}

type renewedCheck struct {
	issuers map[string]string // by the names of what they have signed
	lasts   time.Duration
	others  bool
}

func (c *renewedCheck) grade(_ context.Context, w *work) finding {
	names := slices.Sorted(maps.Keys(c.issuers))
	var f finding
	if c.others {
		f.wanted = fmt.Sprintf("%s renewed, and everything else in %s/pki as it was", strings.Join(names, " and "), clusterDir)
	} else {
		f.wanted = fmt.Sprintf("%s renewed by the same CA with the same names, valid for %d days more", strings.Join(names, " and "), int(c.lasts.Hours()/24))
	}
	before, err := w.baseline()
	if err != nil {
		f.found = err.Error()
		return f
	}
	for _, name := range names {
		if f.found = c.fault(w, before, name); f.found != "" {
			return f
		}
	}
	if c.others {
		f.found = c.changed(w, before)
	}
	if f.passed = f.found == ""; f.passed {
		f.found = "as wanted"
	}
	return f
}

// fault says why a certificate is not the renewed one, empty if it is.
func (c *renewedCheck) fault(w *work, before *baseline, name string) string {
	file := path.Join("pki", name+".crt")
	item, found := w.pem(path.Join(clusterDir, file), ca.ItemCertificate, "certificate")
	if found != "" {
		return found
	}
	cert := item.Certificate.X509
	old, err := x509.ParseCertificate(before.Certificates[file])
	if err != nil {
		return "it is not known any more what " + file + " was: reset the lab"
	}
	if bytes.Equal(cert.Raw, old.Raw) {
		return fmt.Sprintf("%s is still that of the start, which ends at %s", file, cert.NotAfter.UTC().Format(time.DateOnly))
	}
	if c.others {
		return ""
	}
	if fault := isRenewal(cert, old); fault != "" {
		return file + " " + fault
	}
	issuer, err := x509.ParseCertificate(before.Certificates[path.Join("pki", c.issuers[name]+".crt")])
	if err != nil {
		return "it is not known any more what the CA was: reset the lab"
	}
	if err := cert.CheckSignatureFrom(issuer); err != nil {
		return fmt.Sprintf("%s is not signed by the CA %s of the start", file, c.issuers[name])
	}
	if w.now.Before(cert.NotBefore) || cert.NotAfter.Before(w.now.Add(c.lasts)) {
		return fmt.Sprintf("%s is valid from %s to %s", file, cert.NotBefore.UTC().Format(time.DateTime), cert.NotAfter.UTC().Format(time.DateTime))
	}
	key := path.Join(clusterDir, "pki", name+".key")
	_, found, ok := hasKey(key, func(certificate) crypto.PublicKey { return cert.PublicKey })(item.Certificate, w)
	if !ok {
		return found
	}
	return ""
}

// isRenewal says in what a certificate differs from the one that it takes the place
// of, empty where that does not matter.
func isRenewal(cert, old *x509.Certificate) string {
	switch {
	case cert.Subject.ToRDNSequence().String() != old.Subject.ToRDNSequence().String():
		return fmt.Sprintf("has the subject %s, and had %s", cert.Subject, old.Subject)
	case !slices.Equal(sansOf(cert), sansOf(old)):
		return fmt.Sprintf("is for the names %s, and was for %s", strings.Join(sansOf(cert), ", "), strings.Join(sansOf(old), ", "))
	case !slices.Equal(sorted(cert.ExtKeyUsage), sorted(old.ExtKeyUsage)) || len(cert.UnknownExtKeyUsage) > 0:
		return "has other extended key usages than before"
	case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return "is not for digital signatures any more"
	case cert.IsCA:
		return "is a CA's"
	}
	return ""
}

func sorted(usages []x509.ExtKeyUsage) []x509.ExtKeyUsage {
	usages = slices.Clone(usages)
	slices.Sort(usages)
	return usages
}

// sansOf lists the names that a certificate is for, in order, each once.
func sansOf(cert *x509.Certificate) []string {
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// changed says which other file of the cluster's PKI has changed.
func (c *renewedCheck) changed(w *work, before *baseline) string {
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(before.Files)) {
		ext := path.Ext(name)
		if _, ours := c.issuers[strings.TrimPrefix(strings.TrimSuffix(name, ext), "pki/")]; ours && ext != ".conf" {
			continue
		}
		data, found := w.learner.file(path.Join(clusterDir, name), maxManifest)
		if found != "" || fullHash(data) != before.Files[name] {
			changed = append(changed, name)
		}
	}
	if len(changed) > 0 {
		return "others than at the start: " + strings.Join(changed, ", ")
	}
	return ""
}
