package csr

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/pkictl/pkictl/internal/failure"
)

// signed makes a request as it may come from anywhere.
func signed(t testing.TB, template x509.CertificateRequest) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signedWith(t, template, key)
}

func signedWith(t testing.TB, template x509.CertificateRequest, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func named(commonName string, groups ...string) x509.CertificateRequest {
	return x509.CertificateRequest{Subject: pkix.Name{CommonName: commonName, Organization: groups}}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	user := signed(t, named("jane", "developers"))
	node := named("system:node:w1", "system:nodes")
	serving := node
	serving.DNSNames, serving.IPAddresses = []string{"w1"}, []net.IP{net.IPv4(10, 0, 0, 1)}
	withURI := serving
	withURI.URIs = []*url.URL{{Scheme: "spiffe", Host: "x"}}
	withMail := named("system:node:w1", "system:nodes")
	withMail.EmailAddresses = []string{"w1@example.com"}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	isCA, err := asn1.Marshal(struct{ CA bool }{true})
	if err != nil {
		t.Fatal(err)
	}
	authority := named("sub-ca")
	authority.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: isCA}}
	broken := []byte(strings.Replace(string(user), "MI", "MJ", 1))
	block, _ := pem.Decode(user)
	forged := append([]byte{}, block.Bytes...)
	forged[len(forged)-1] ^= 1
	const web = "example.com/web"
	tests := []struct {
		name string
		o    SubmitOptions
		kind failure.Kind // 0: it passes
		says string
	}{
		{"a user", SubmitOptions{RequestPEM: user}, 0, ""},
		{"a user in DER form", SubmitOptions{RequestPEM: block.Bytes}, 0, ""},
		{"a user for 10 minutes", SubmitOptions{RequestPEM: user, Expiration: 10 * time.Minute}, 0, ""},
		{"all usages of clients", SubmitOptions{RequestPEM: user, Usages: []string{"client auth", "key encipherment", "digital signature"}}, 0, ""},
		{"a node", SubmitOptions{RequestPEM: signed(t, node), Signer: SignerKubeletClient}, 0, ""},
		{"a serving node", SubmitOptions{RequestPEM: signed(t, serving), Signer: SignerKubelet}, 0, ""},
		{"system:masters for an own signer", SubmitOptions{RequestPEM: signed(t, named("boss", "system:masters")), Signer: web, Usages: []string{"client auth"}}, 0, ""},
		{"no subject for an own signer", SubmitOptions{RequestPEM: signed(t, x509.CertificateRequest{DNSNames: []string{"x"}}), Signer: web, Usages: []string{"server auth"}}, 0, ""},
		{"a CA for an own signer", SubmitOptions{RequestPEM: signed(t, authority), Signer: web, Usages: []string{"cert sign"}}, 0, ""},
		{"a reserved name, allowed", SubmitOptions{RequestPEM: signed(t, named("system:metrics")), Allow: []string{"name:system:metrics"}}, 0, ""},
		{"a weak key, allowed", SubmitOptions{RequestPEM: signedWith(t, named("jane"), weak), Allow: []string{"weak-key"}}, 0, ""},

		{"nothing", SubmitOptions{}, failure.Failed, "is no certificate request"},
		{"damaged", SubmitOptions{RequestPEM: broken}, failure.Failed, "cannot be read"},
		{"forged", SubmitOptions{RequestPEM: forged}, failure.Refused, "its signature is not valid"},
		{"forged for an own signer", SubmitOptions{RequestPEM: forged, Signer: web, Usages: []string{"client auth"}}, failure.Refused, "its signature is not valid"},
		{"system:masters", SubmitOptions{RequestPEM: signed(t, named("boss", "dev", "system:masters"))}, failure.Refused, "refuses the group system:masters"},
		{"system:masters, allowed or not", SubmitOptions{RequestPEM: signed(t, named("boss", "system:masters")), Allow: []string{"group:system:masters"}}, failure.Refused, "refuses the group system:masters"},
		{"system:admin", SubmitOptions{RequestPEM: signed(t, named("system:admin"))}, failure.Refused, `the user name "system:admin"`},
		{"another reserved name allowed", SubmitOptions{RequestPEM: signed(t, named("system:admin")), Allow: []string{"name:system:metrics"}}, failure.Refused, `the user name "system:admin"`},
		{"a reserved group", SubmitOptions{RequestPEM: signed(t, named("jane", "kubeadm:cluster-admins"))}, failure.Refused, `the group "kubeadm:cluster-admins"`},
		{"an unknown allowance", SubmitOptions{RequestPEM: user, Allow: []string{"all"}}, failure.Usage, `"all"`},
		{"a CA", SubmitOptions{RequestPEM: signed(t, authority)}, failure.Refused, "CA:TRUE"},
		{"no name", SubmitOptions{RequestPEM: signed(t, named("", "dev"))}, failure.Refused, "no common name"},
		{"a name of 300 characters", SubmitOptions{RequestPEM: signed(t, named(strings.Repeat("j", 300)))}, failure.Refused, "300 characters"},
		{"a right-to-left mark", SubmitOptions{RequestPEM: signed(t, named("jane\u202e"))}, failure.Refused, "cannot be printed"},
		{"a bell", SubmitOptions{RequestPEM: signed(t, named("jane", "dev\a"))}, failure.Refused, "cannot be printed"},
		{"a weak key", SubmitOptions{RequestPEM: signedWith(t, named("jane"), weak)}, failure.Refused, "its key is weak"},
		{"a weak key for an own signer", SubmitOptions{RequestPEM: signedWith(t, named("jane"), weak), Signer: web, Usages: []string{"client auth"}}, failure.Refused, "its key is weak"},
		{"usage of servers", SubmitOptions{RequestPEM: user, Usages: []string{"client auth", "server auth"}}, failure.Refused, `no certificate for the usage "server auth"`},
		{"no usage of clients", SubmitOptions{RequestPEM: user, Usages: []string{"digital signature"}}, failure.Refused, `without the usage "client auth"`},
		{"unknown usage", SubmitOptions{RequestPEM: user, Usages: []string{"clientAuth"}}, failure.Usage, `unknown usage "clientAuth"`},
		{"usage twice", SubmitOptions{RequestPEM: user, Usages: []string{"client auth", "client auth"}}, failure.Usage, "twice"},
		{"no usage for an own signer", SubmitOptions{RequestPEM: user, Signer: web}, failure.Usage, "nothing says what"},
		{"a short lifetime", SubmitOptions{RequestPEM: user, Expiration: 10*time.Minute - time.Second}, failure.Usage, "shorter than"},
		{"a negative lifetime", SubmitOptions{RequestPEM: user, Expiration: -time.Hour}, failure.Usage, "shorter than"},
		{"a long lifetime", SubmitOptions{RequestPEM: user, Expiration: 100 * 365 * 24 * time.Hour}, failure.Usage, "longer than"},
		{"a user as a node", SubmitOptions{RequestPEM: user, Signer: SignerKubeletClient}, failure.Refused, "group system:nodes only"},
		{"a node with two groups", SubmitOptions{RequestPEM: signed(t, named("system:node:w1", "system:nodes", "dev")), Signer: SignerKubeletClient}, failure.Refused, "group system:nodes only"},
		{"a node without a name", SubmitOptions{RequestPEM: signed(t, named("system:node:", "system:nodes")), Signer: SignerKubelet}, failure.Refused, "not the name of one"},
		{"a client node with names", SubmitOptions{RequestPEM: signed(t, serving), Signer: SignerKubeletClient}, failure.Refused, "no alternative names"},
		{"a serving node without names", SubmitOptions{RequestPEM: signed(t, node), Signer: SignerKubelet}, failure.Refused, "names none"},
		{"a serving node with a URI", SubmitOptions{RequestPEM: signed(t, withURI), Signer: SignerKubelet}, failure.Refused, "DNS names and IP addresses only"},
		{"a serving node with a mail address", SubmitOptions{RequestPEM: signed(t, withMail), Signer: SignerKubelet}, failure.Refused, "DNS names and IP addresses only"},
		{"a serving node as a client", SubmitOptions{RequestPEM: signed(t, serving), Signer: SignerKubelet, Usages: []string{"digital signature", "client auth"}}, failure.Refused, `"client auth"`},
		{"the legacy signer", SubmitOptions{RequestPEM: user, Signer: "kubernetes.io/legacy-unknown"}, failure.Usage, "has left the API"},
		{"a slip in the signer", SubmitOptions{RequestPEM: user, Signer: "kubernetes.io/kube-api-server-client"}, failure.Usage, "Kubernetes has no signer"},
		{"a bad object name", SubmitOptions{RequestPEM: user, Name: "../x"}, failure.Usage, "not a name for"},
		{"a long object name", SubmitOptions{RequestPEM: user, Name: strings.Repeat("x", 254)}, failure.Usage, "not a name for"},
	}
	for _, test := range tests {
		err := Check(test.o)
		switch {
		case test.kind == 0:
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
		case err == nil || failure.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says):
			t.Errorf("%s: %v (kind %d), want %q (kind %d)", test.name, err, failure.KindOf(err), test.says, test.kind)
		case failure.HintOf(err) == "":
			t.Errorf("%s: no hint", test.name)
		}
	}
}

func TestSignerNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"example.com/web": true, "a.b/c.d": true, "example.com/web.of.things": true,
		"": false, "web": false, "example/web": false, "example.com/": false, "example.com/a/b": false, "Example.com/web": false,
		"example.com/Web": false, "example..com/web": false, strings.Repeat("a.", 127) + "a/web": false, strings.Repeat("a", 64) + ".b/web": false,
		"example.com/" + strings.Repeat("a", 254): false, "../x/y": false,
	} {
		if err := checkSigner(name); (err == nil) != want {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestObjectNames: the same question has the same name, and another has another.
func TestObjectNames(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	name := func(o SubmitOptions) string {
		t.Helper()
		object, _, err := NewObject(o)
		if err != nil {
			t.Fatal(err)
		}
		return object.Name
	}
	jane := RequestOptions{CommonName: "Jane Doe"}
	first, err := RequestFor(key, jane)
	if err != nil {
		t.Fatal(err)
	}
	again, err := RequestFor(key, jane)
	if err != nil {
		t.Fatal(err)
	}
	if string(first) == string(again) {
		t.Fatal("two signatures are the same")
	}
	want := name(SubmitOptions{RequestPEM: first})
	if !strings.HasPrefix(want, "jane-doe-") {
		t.Errorf("the name is %q", want)
	}
	if got := name(SubmitOptions{RequestPEM: again, Usages: []string{"client auth", "digital signature"}, Signer: SignerClient}); got != want {
		t.Errorf("made again with the same key it is %q, not %q", got, want)
	}
	seen := map[string]bool{want: true}
	for _, o := range []SubmitOptions{
		{RequestPEM: first, Expiration: time.Hour}, {RequestPEM: first, Usages: []string{"client auth"}},
		{RequestPEM: first, Signer: "example.com/x", Usages: []string{"digital signature", "client auth"}},
		{RequestPEM: signed(t, named("Jane Doe"))},
	} {
		if got := name(o); seen[got] {
			t.Errorf("%v has the name %q of another", o, got)
		} else {
			seen[got] = true
		}
	}
}

// FuzzNewObject: whatever is submitted is refused, or is an object with a name
// that the API server takes, and a request that it can read.
func FuzzNewObject(f *testing.F) {
	for _, r := range []x509.CertificateRequest{named("jane", "developers"), named("system:node:w1", "system:nodes"), named("Ünï 💥"), {}} {
		f.Add(signed(f, r), SignerClient, "client auth", "")
		f.Add(signed(f, r), "example.com/web", "server auth", "web")
	}
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"), "", "", "x")
	f.Fuzz(func(t *testing.T, request []byte, signer, usage, name string) {
		o := SubmitOptions{RequestPEM: request, Signer: signer, Name: name}
		if usage != "" {
			o.Usages = []string{usage}
		}
		object, _, err := NewObject(o)
		if err != nil {
			if failure.HintOf(err) == "" || len(err.Error()) > 3000 {
				t.Errorf("a bad error: %v", err)
			}
			return
		}
		if errs := validation.IsDNS1123Subdomain(object.Name); len(errs) > 0 {
			t.Errorf("name %q: %v", object.Name, errs)
		}
		if Request(object) == nil || Request(object).CheckSignature() != nil {
			t.Error("the object holds no valid request")
		}
	})
}

// FuzzObjectPath: no name leads out of the resource.
func FuzzObjectPath(f *testing.F) {
	for _, name := range []string{"jane", "", ".", "..", "a/b", "../x", "%2e%2e", "node-csr-x", "a\x00b"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		path, err := objectPath(name)
		if err == nil && (strings.Count(path, "/") != 5 || strings.Contains(path, "%") || strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..")) {
			t.Errorf("%q becomes %q", name, path)
		}
	})
}
