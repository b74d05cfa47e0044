package ca_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// newRequest has OpenSSL make a request; more are arguments of openssl req.
func newRequest(t *testing.T, subject string, more ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "csr")
	args := []string{"req", "-new", "-utf8", "-nodes", "-keyout", filepath.Join(dir, "key"), "-subj", subject, "-out", path}
	if !slices.Contains(more, "-newkey") && !slices.Contains(more, "-key") {
		args = append(args, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	}
	openssl(t, append(args, more...)...)
	return must(os.ReadFile(path))
}

func take(data []byte, o ca.IssueOptions) (ca.IssueOptions, error) {
	r, err := ca.ParseRequest(data, "x.csr")
	if err == nil {
		err = o.TakeRequest(r)
	}
	return o, err
}

// TestIssueRequest signs a request for what it says, or for what the options
// say instead.
func TestIssueRequest(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	request := newRequest(t, "/O=web/CN=www.example.com/O=ops", "-addext", "subjectAltName=DNS:a.example.com,IP:10.0.0.1,email:a@example.com,URI:spiffe://x.example.com/y",
		"-addext", "keyUsage=digitalSignature", "-addext", "extendedKeyUsage=serverAuth", "-addext", "basicConstraints=CA:FALSE")
	for _, test := range []struct {
		name        string
		o           ca.IssueOptions
		subject     string
		alternative string
	}{
		{"as it is", ca.IssueOptions{}, "O=web,O=ops,CN=www.example.com", "a.example.com www.example.com a@example.com 10.0.0.1 spiffe://x.example.com/y"},
		{"other names", ca.IssueOptions{DNS: []string{"b.example.com"}}, "O=web,O=ops,CN=www.example.com", "b.example.com www.example.com a@example.com 10.0.0.1 spiffe://x.example.com/y"},
		{"another subject", ca.IssueOptions{CommonName: "b", Groups: []string{"dev"}}, "O=dev,CN=b", "a.example.com b a@example.com 10.0.0.1 spiffe://x.example.com/y"},
	} {
		o := test.o
		o.Dir, o.Profile, o.Out, o.Force = dir, ca.ProfileServer, filepath.Join(dir, "web"), true
		taken, err := take(request, o)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		result := issue(t, taken)
		cert := must(ca.ReadCertificate(filepath.Join(dir, "web.crt")))
		if !cert.Equal(result.Certificate) || result.KeyPath != "" || len(result.Warnings) > 0 {
			t.Errorf("%s: %+v", test.name, result)
		}
		if subject, names := ca.FormatName(cert.RawSubject), strings.Join(ca.SANsOf(cert).Strings(), " "); subject != test.subject || names != test.alternative {
			t.Errorf("%s: %s with %s, want %s with %s", test.name, subject, names, test.subject, test.alternative)
		}
		block, _ := pem.Decode(request)
		if csr := must(x509.ParseCertificateRequest(block.Bytes)); !bytes.Equal(csr.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo) {
			t.Errorf("%s: another key was certified", test.name)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "web.key")); err == nil {
		t.Error("a key was written")
	}
	if rows := list(t, ca.ListOptions{Dir: dir, CommonName: "b"}); len(rows) != 1 || !slices.Equal(rows[0].Groups, []string{"dev"}) || rows[0].Name != "web" {
		t.Errorf("%+v", rows)
	}
}

// TestRequestKeyFile: no key ends up beside a certificate that is not its own.
func TestRequestKeyFile(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	first := issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane"})
	other := ca.IssueOptions{Dir: dir, CommonName: "jane", Force: true, Now: now}
	before := tree(t, dir)
	taken := must(take(newRequest(t, "/CN=jane"), other))
	if _, err := ca.Issue(context.Background(), taken); failure.KindOf(err) != failure.Refused || !strings.Contains(err.Error(), "is not the key of certificate request") {
		t.Errorf("%v", err)
	}
	if !equalTrees(before, tree(t, dir)) {
		t.Error("files have changed")
	}
	taken = must(take(newRequest(t, "/CN=jane", "-key", first.KeyPath), other))
	if again := issue(t, taken); again.Certificate.Equal(first.Certificate) || tree(t, dir)[first.KeyPath] != before[first.KeyPath] {
		t.Error("the certificate is to be replaced, and the key to stay")
	}
	taken = must(take(newRequest(t, "/CN=root", "-key", ca.KeyPath(dir)), ca.IssueOptions{Dir: dir, Now: now}))
	if _, err := ca.Issue(context.Background(), taken); failure.KindOf(err) != failure.Refused || !strings.Contains(err.Error(), "is that of the CA") {
		t.Errorf("the CA's own key: %v", err)
	}
}

// TestRefusedRequests has what nobody should sign, and who can allow it.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("DNS:n%d.example.com", i)
	}
	manyNames := "subjectAltName=" + strings.Join(many, ",")
	manyGroups := ""
	for i := range 101 {
		manyGroups += fmt.Sprintf("/O=g%d", i)
	}
	tests := []struct {
		name          string
		request       []byte
		profile       string
		says          string
		allow, refuse string // what lets it through, and a name that does not
	}{
		{"a CA", newRequest(t, "/CN=x", "-addext", "basicConstraints=critical,CA:TRUE"), "", "CA:TRUE", "", ""},
		{"a CA with a path length", newRequest(t, "/CN=x", "-addext", "basicConstraints=CA:TRUE,pathlen:0"), "", "CA:TRUE", "", ""},
		{"keyCertSign", newRequest(t, "/CN=x", "-addext", "keyUsage=digitalSignature,keyCertSign"), "", "usage cert sign", "", ""},
		{"cRLSign", newRequest(t, "/CN=x", "-addext", "keyUsage=cRLSign"), "", "usage crl sign", "", ""},
		{"another usage", newRequest(t, "/CN=x", "-addext", "extendedKeyUsage=serverAuth"), "", `usage "server auth"`, "", ""},
		{"one usage too many", newRequest(t, "/CN=x", "-addext", "extendedKeyUsage=clientAuth,codeSigning"), "", `usage "code signing"`, "", ""},
		{"any usage", newRequest(t, "/CN=x", "-addext", "extendedKeyUsage=anyExtendedKeyUsage"), "peer", `usage "any"`, "", ""},
		{"system:masters", newRequest(t, "/O=system:masters/CN=x"), "", "group system:masters", ca.AllowMasters, ca.AllowNames},
		{"system:masters among others", newRequest(t, "/O=dev/CN=x/O=system:masters"), "", "group system:masters", ca.AllowMasters, ""},
		{"a node's group", newRequest(t, "/O=dev/O=system:nodes/CN=x"), "", `group "system:nodes"`, "group:system:nodes", "name:system:nodes"},
		{"kubeadm's administrators", newRequest(t, "/O=kubeadm:cluster-admins/CN=x"), "", `group "kubeadm:cluster-admins"`, "group:kubeadm:cluster-admins", ca.AllowMasters},
		{"a part of Kubernetes", newRequest(t, "/CN=system:kube-controller-manager"), "", `common name "system:kube-controller-manager"`, "name:system:kube-controller-manager", "group:system:kube-controller-manager"},
		{"names for a client", newRequest(t, "/CN=x", "-addext", "subjectAltName=DNS:a.example.com"), "", "alternative names", ca.AllowNames, ca.AllowManyNames},
		{"many names", newRequest(t, "/CN=x", "-addext", manyNames), "server", "101 names", ca.AllowManyNames, ca.AllowNames},
		{"many groups", newRequest(t, manyGroups+"/CN=x"), "", "101 names or groups", ca.AllowManyNames, ""},
		{"RSA with 1024 bits", newRequest(t, "/CN=x", "-newkey", "rsa:1024"), "", "1024 bits", ca.AllowWeakKey, ca.AllowWeakHash},
		{"RSA with 512 bits", newRequest(t, "/CN=x", "-newkey", "rsa:512"), "", "can be broken by anybody", "", ""},
		{"RSA with the exponent 3", newRequest(t, "/CN=x", "-newkey", "rsa:2048", "-pkeyopt", "rsa_keygen_pubexp:3"), "", "exponent 3", ca.AllowWeakKey, ""},
		{"P-224", newRequest(t, "/CN=x", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-224"), "", "P-224", ca.AllowWeakKey, ""},
		{"a curve that Go does not know", newRequest(t, "/CN=x", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"), "", "", "", ""},
		{"Ed448", newRequest(t, "/CN=x", "-newkey", "ed448"), "", "none of RSA, ECDSA and Ed25519", "", ""},
		{"SHA-1", newRequest(t, "/CN=x", "-sha1"), "", "SHA-1 can be forged", ca.AllowWeakHash, ca.AllowWeakKey},
		{"MD5", newRequest(t, "/CN=x", "-newkey", "rsa:2048", "-md5"), "", "worth nothing", "", ""},
		{"a signature that Go does not know", newRequest(t, "/CN=x", "-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"), "", "cannot be checked", "", ""},
		{"two common names", newRequest(t, "/CN=a/CN=b"), "", "2 common names", "", ""},
		{"no common name", newRequest(t, "/O=dev"), "", "no common name", "", ""},
		{"no subject", newRequest(t, "/"), "", "no common name", "", ""},
		{"a group twice", newRequest(t, "/CN=x/O=dev/O=dev"), "", `group "dev" is given twice`, "", ""},
		{"a name that hides", newRequest(t, "/CN=a\u202eb"), "", "cannot be printed", "", ""},
		{"a name with white space", newRequest(t, "/CN= x"), "", "white space", "", ""},
		{"a bad DNS name", newRequest(t, "/CN=x", "-addext", "subjectAltName=DNS:a_b.example.com"), "server", "not a DNS name", "", ""},
		{"a bad wildcard", newRequest(t, "/CN=x", "-addext", "subjectAltName=DNS:*.com"), "server", "wildcard", "", ""},
		{"a name twice", newRequest(t, "/CN=x", "-addext", "subjectAltName=DNS:a.example.com,DNS:a.example.com"), "server", "given twice", "", ""},
		{"extensions twice", handmadeRequest(t, 2, true), "", "twice", "", ""},
		{"another's signature", handmadeRequest(t, 1, false), "", "signature is not valid", "", ""},
	}
	for _, test := range tests {
		refused := func(allow ...string) {
			t.Helper()
			_, err := take(test.request, ca.IssueOptions{Profile: test.profile, Allow: slices.DeleteFunc(allow, func(s string) bool { return s == "" })})
			if test.says == "" && failure.KindOf(err) == failure.Failed && err != nil {
				return // it cannot even be read
			}
			if err == nil || failure.KindOf(err) != failure.Refused || !strings.Contains(err.Error(), test.says) || failure.HintOf(err) == "" {
				t.Errorf("%s, allowed %q: %v, hint %q", test.name, allow, err, failure.HintOf(err))
			}
		}
		refused()
		refused(test.refuse)
		if test.allow == "" {
			refused(ca.Allowances()...)
			continue
		}
		o, err := take(test.request, ca.IssueOptions{Profile: test.profile, Allow: []string{test.allow}, Dir: newCA(t, ca.ECDSAP256)})
		if err != nil {
			t.Errorf("%s: %v, although %s is allowed", test.name, err, test.allow)
			continue
		}
		if result := issue(t, o); !strings.Contains(strings.Join(result.Warnings, " "), "(allowed: "+test.allow+")") {
			t.Errorf("%s: warnings %q", test.name, result.Warnings)
		}
	}
}

// handmadeRequest makes what no tool does: extensions in several attributes,
// or the signature of another key.
func handmadeRequest(t *testing.T, lists int, ownKey bool) []byte {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	der := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "x"}, ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}},
	}, key))
	var request struct {
		TBS struct {
			Version    int
			Subject    asn1.RawValue
			PublicKey  asn1.RawValue
			Attributes []asn1.RawValue `asn1:"tag:0"`
		}
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	must(asn1.Unmarshal(der, &request))
	for range lists - 1 {
		// The same list with another OID in it.
		list := request.TBS.Attributes[0]
		list.FullBytes = bytes.Replace(list.FullBytes, []byte{6, 2, 42, 3}, []byte{6, 2, 42, 4}, 1)
		request.TBS.Attributes = append(request.TBS.Attributes, list)
	}
	if !ownKey {
		key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	}
	tbs := must(asn1.Marshal(request.TBS))
	sum := sha256.Sum256(tbs)
	signature := must(ecdsa.SignASN1(rand.Reader, key, sum[:]))
	request.Signature = asn1.BitString{Bytes: signature, BitLength: len(signature) * 8}
	return must(asn1.Marshal(request))
}

// TestRequestLeftOut: what is not taken is said.
func TestRequestLeftOut(t *testing.T) {
	t.Parallel()
	scratch := t.TempDir()
	config, path := filepath.Join(scratch, "cnf"), filepath.Join(scratch, "csr")
	must(0, os.WriteFile(config, []byte(`[req]
prompt = no
distinguished_name = dn
attributes = attributes
[dn]
C = CH
ST = Bern
L = Bern
O = dev
OU = web
CN = jane
emailAddress = jane@example.com
[attributes]
challengePassword = a-secret-word
unstructuredName = nickname
`), 0o600))
	openssl(t, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", filepath.Join(scratch, "key"), "-out", path, "-config", config, "-addext", "keyUsage=nonRepudiation,digitalSignature", "-addext", "nsComment=hello", "-addext", "subjectKeyIdentifier=hash",
		"-addext", "subjectAltName=otherName:1.2.3.4;UTF8:x", "-addext", "certificatePolicies=1.2.3.4")
	o := must(take(must(os.ReadFile(path)), ca.IssueOptions{Dir: newCA(t, ca.ECDSAP256)}))
	result := issue(t, o)
	text := strings.Join(result.Warnings, "\n")
	for _, want := range []string{
		"attribute C=CH", "ST=Bern", "L=Bern", "OU=web", "emailAddress=jane@example.com", "challenge password", "attribute 1.2.840.113549.1.9.2",
		"extension 2.16.840.1.113730.1.13", "extension 2.5.29.32 certificate policies", "alternative name otherName 1.2.3.4", "content commitment",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no word of %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "a-secret-word") {
		t.Error("the challenge password is shown")
	}
	if cert := result.Certificate; ca.FormatName(cert.RawSubject) != "O=dev,CN=jane" || len(cert.Extensions) != 5 {
		t.Errorf("%s with %d extensions", ca.FormatName(cert.RawSubject), len(cert.Extensions))
	}
}

// TestRequestOverride: what the options say is not read from the request, and
// may then be anything there.
func TestRequestOverride(t *testing.T) {
	t.Parallel()
	request := newRequest(t, "/O=system:masters/CN=a/CN=b", "-addext", "subjectAltName=DNS:*.com")
	o, err := take(request, ca.IssueOptions{CommonName: "jane", Groups: []string{"dev"}, DNS: []string{"jane.example.com"}})
	if err != nil || o.CommonName != "jane" || !slices.Equal(o.Groups, []string{"dev"}) || !slices.Equal(o.DNS, []string{"jane.example.com"}) {
		t.Errorf("%+v, %v", o, err)
	}
	all := newRequest(t, "/O=system:nodes/O=kubeadm:cluster-admins/CN=system:kube-controller-manager")
	if _, err := take(all, ca.IssueOptions{CommonName: "system:node:w1", Groups: []string{"system:nodes"}}); err != nil {
		t.Errorf("said with flags: %v", err)
	}
	for _, one := range []string{"name:system:kube-controller-manager", "group:system:nodes", "group:kubeadm:cluster-admins"} {
		every := []string{"name:system:kube-controller-manager", "group:system:nodes", "group:kubeadm:cluster-admins"}
		if _, err := take(all, ca.IssueOptions{Allow: every}); err != nil {
			t.Errorf("%v", err)
		}
		but := slices.DeleteFunc(every, func(s string) bool { return s == one })
		if _, err := take(all, ca.IssueOptions{Allow: but}); failure.KindOf(err) != failure.Refused || !strings.Contains(failure.HintOf(err), "--allow "+one) {
			t.Errorf("without %s: %v, hint %q", one, err, failure.HintOf(err))
		}
	}
	_, err = take(request, ca.IssueOptions{Allow: []string{"name:jane"}})
	wantUsage(t, "a name that needs none", err, "needs no allowance")
	_, err = take(request, ca.IssueOptions{Key: "rsa-2048"})
	wantUsage(t, "a kind of key", err, "exclude each other")
	_, err = take(request, ca.IssueOptions{Allow: []string{"ca"}})
	wantUsage(t, "a CA", err, "never be allowed")
}

// TestRequestRules: a profile of a file says what requests may ask for.
func TestRequestRules(t *testing.T) {
	t.Parallel()
	file := func(usage, csr string) *ca.Profiles {
		return profiles(t, "apiVersion: pkictl.dev/v1\nkind: Profiles\nprofiles:\n- name: p\n  usages: ["+usage+"]\n  csr: {"+csr+"}\n")
	}
	names := newRequest(t, "/O=dev/CN=x.example.com", "-addext", "subjectAltName=IP:10.0.0.1")
	masters, node := newRequest(t, "/O=system:masters/CN=x"), newRequest(t, "/O=system:nodes/CN=system:node:w1")
	limited := func(limits string) *ca.Profiles {
		return profiles(t, "apiVersion: pkictl.dev/v1\nkind: Profiles\nprofiles:\n- name: p\n  usages: [client auth]\n  limits: {"+limits+"}\n")
	}
	for _, test := range []struct {
		name    string
		p       *ca.Profiles
		o       ca.IssueOptions
		request []byte
		says    string // empty: it is taken
	}{
		{"a server's names are its own", file("server auth", "subject: true"), ca.IssueOptions{}, names, ""},
		{"no names", file("server auth", "names: false"), ca.IssueOptions{}, names, "alternative names"},
		{"names for a client", file("client auth", "names: true"), ca.IssueOptions{}, names, ""},
		{"no subject", file("server auth", "subject: false"), ca.IssueOptions{}, names, "takes no subject"},
		{"no subject, and no group", file("server auth", "subject: false"), ca.IssueOptions{CommonName: "x"}, names, "takes no subject"},
		{"no subject, but flags", file("server auth", "subject: false"), ca.IssueOptions{CommonName: "x", Groups: []string{"ops"}}, names, ""},
		{"masters", file("client auth", "subject: true"), ca.IssueOptions{}, masters, "system:masters"},
		{"masters by name", file("client auth", "allow: ['group:system:masters']"), ca.IssueOptions{}, masters, ""},
		{"a node by allowance", file("client auth", "allow: ['group:system:nodes', 'name:system:node:w1']"), ca.IssueOptions{}, node, ""},
		{"a node by limits", limited("commonNames: ['system:node:*'], groups: ['system:nodes']"), ca.IssueOptions{}, node, ""},
		{"a node's name by limits", limited("commonNames: ['system:node:*']"), ca.IssueOptions{}, node, `group "system:nodes"`},
		{"a node's group by limits", limited("groups: ['system:nodes']"), ca.IssueOptions{}, node, `common name "system:node:w1"`},
		{"cfssl takes all names", profiles(t, `{"signing": {"default": {"usages": ["client auth"], "expiry": "1h"}}}`), ca.IssueOptions{}, names, ""},
		{"cfssl with a list", profiles(t, `{"signing": {"default": {"usages": ["client auth"], "expiry": "1h", "CSRWhitelist": {"PublicKey": true, "Subject": true, "DNSNames": true}}}}`),
			ca.IssueOptions{}, names, `"10.0.0.1"`},
	} {
		test.o.Profiles = test.p
		_, err := take(test.request, test.o)
		if test.says == "" && err != nil || test.says != "" && (failure.KindOf(err) != failure.Refused || err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	// A mere * means neither Kubernetes' names nor kubeadm's.
	authority := must(ca.Open(newCA(t, ca.ECDSAP256)))
	for _, reserved := range []string{"/O=kubeadm:cluster-admins/CN=x", "/O=system:authenticated/CN=x", "/CN=kubeadm:x"} {
		o := must(take(newRequest(t, reserved), ca.IssueOptions{Profiles: limited("commonNames: ['*'], groups: ['*']")}))
		if _, err := authority.Prepare(must(o.Request()), now); failure.KindOf(err) != failure.Refused {
			t.Errorf("%s: %v", reserved, err)
		}
	}
	// Limits hold for the names of requests, too, and their own count in place of 100.
	own := profiles(t, ownProfiles)
	o := must(take(names, ca.IssueOptions{Profiles: own, Profile: "servers", Groups: []string{"ops"}}))
	if _, err := authority.Prepare(must(o.Request()), now); failure.KindOf(err) != failure.Refused || !strings.Contains(err.Error(), `key kind "ecdsa-p256"`) {
		t.Errorf("key: %v", err)
	}
}

// TestBrokenRequests are files that are no request, or not one alone.
func TestBrokenRequests(t *testing.T) {
	t.Parallel()
	good := newRequest(t, "/CN=x")
	block, _ := pem.Decode(good)
	der := block.Bytes
	key := must(ca.MarshalKey(must(ca.GenerateKey(ca.ECDSAP256))))
	for _, fine := range [][]byte{good, der, append([]byte("Certificate Request:\n"), good...), pemBlock("NEW CERTIFICATE REQUEST", der)} {
		if _, err := ca.ParseRequest(fine, "x.csr"); err != nil {
			t.Error(err)
		}
	}
	for name, test := range map[string]struct {
		data []byte
		says string
	}{
		"nothing": {nil, "no certificate request"}, "noise": {[]byte("noise"), "no certificate request"},
		"two":               {slices.Concat(good, good), "2 PEM blocks"},
		"with its key":      {slices.Concat(good, key), "2 PEM blocks"},
		"a key":             {key, `"PRIVATE KEY", not a certificate request`},
		"a damaged block":   {[]byte("-----BEGIN CERTIFICATE REQUEST-----\n?\n"), "is damaged"},
		"an empty block":    {pemBlock("CERTIFICATE REQUEST", nil), "cannot be read"},
		"cut off":           {pemBlock("CERTIFICATE REQUEST", der[:len(der)-1]), "cannot be read"},
		"trailing data":     {pemBlock("CERTIFICATE REQUEST", append(slices.Clone(der), 0)), "cannot be read"},
		"trailing DER data": {append(slices.Clone(der), 0), "cannot be read"},
		"too large":         {bytes.Repeat([]byte("x"), 1<<20+1), "larger than 1 MiB"},
	} {
		_, err := ca.ParseRequest(test.data, "x.csr")
		if err == nil || failure.KindOf(err) != failure.Failed || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), `"x.csr"`) || failure.HintOf(err) == "" {
			t.Errorf("%s: %v, hint %q", name, err, failure.HintOf(err))
		}
	}
}

// TestExplainRequest runs the recipe for a request, in PEM and DER form, with a
// profile that has all that recipes know.
func TestExplainRequest(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP384)
	p := profiles(t, ownProfiles)
	request := newRequest(t, "/O=A\\/B/CN=it's.example.com/C=CH", "-newkey", "rsa:2048", "-addext", "subjectAltName=DNS:a.example.com,IP:10.0.0.1")
	block, _ := pem.Decode(request)
	for form, data := range map[string][]byte{"pem": request, "der": block.Bytes} {
		path := filepath.Join(dir, "it's a request."+form)
		must(0, os.WriteFile(path, data, 0o600))
		options := func(out string) ca.IssueOptions {
			o := ca.IssueOptions{Dir: dir, Profiles: p, Profile: "servers", Out: filepath.Join(dir, out), Now: now}
			must(0, o.TakeRequest(must(ca.ReadRequest(path))))
			return o
		}
		ours, theirs := issue(t, options("ours-"+form)), options("theirs-"+form)
		runRecipe(t)(ca.ExplainIssue(theirs))
		a, b := ours.Certificate, must(ca.ReadCertificate(theirs.Out+".crt"))
		if ca.FormatName(a.RawSubject) != ca.FormatName(b.RawSubject) || !bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo) ||
			!a.NotAfter.Equal(b.NotAfter) || !a.NotBefore.Equal(b.NotBefore) || len(a.Extensions) != len(b.Extensions) {
			t.Errorf("%s: the recipe's certificate differs", form)
		}
		for _, extension := range a.Extensions {
			if !slices.ContainsFunc(b.Extensions, func(other pkix.Extension) bool {
				return other.Id.Equal(extension.Id) && other.Critical == extension.Critical && bytes.Equal(other.Value, extension.Value)
			}) {
				t.Errorf("%s: extension %s differs", form, extension.Id)
			}
		}
	}
}

// FuzzParseRequest: whatever the bytes, there is a request that is refused or
// becomes options that can be issued, or an error.
func FuzzParseRequest(f *testing.F) {
	key := must(ca.GenerateKey(ca.ECDSAP256))
	for _, template := range []*x509.CertificateRequest{
		{}, {Subject: pkix.Name{CommonName: "jane", Organization: []string{"dev"}}},
		{Subject: pkix.Name{CommonName: "x"}, DNSNames: []string{"a.b"}, IPAddresses: []net.IP{{10, 0, 0, 1}}, EmailAddresses: []string{"a@b.c"}},
	} {
		der := must(x509.CreateCertificateRequest(rand.Reader, template, key))
		f.Add(der)
		f.Add(pemBlock("CERTIFICATE REQUEST", der))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ca.ParseRequest(data, "file")
		if err != nil {
			return
		}
		o := ca.IssueOptions{Profile: ca.ProfilePeer, Allow: ca.Allowances()}
		if err := o.TakeRequest(r); err != nil {
			if failure.HintOf(err) == "" {
				t.Errorf("%v has no hint", err)
			}
			return
		}
		if req, err := o.Request(); err == nil && (req.PublicKey == nil || req.CommonName == "") {
			t.Errorf("%+v", req)
		}
	})
}
