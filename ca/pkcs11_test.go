package ca_test

import (
	"context"
	"encoding/asn1"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

const tokenURI = "pkcs11:token=pki;object=ca;type=private?module-path=/usr/lib/softhsm/libsofthsm2.so"

// reference is the PEM block of OpenSSL's pkcs11-provider.
func reference(uri string) []byte {
	return pemBlock("PKCS#11 PROVIDER URI", must(asn1.Marshal(struct {
		Description asn1.RawValue
		URI         string `asn1:"utf8"`
	}{asn1.RawValue{Tag: 26, Bytes: []byte("PKCS#11 Provider URI v1.0")}, uri})))
}

// TestTokenURI reads what RFC 7512 and the tools write.
func TestTokenURI(t *testing.T) {
	t.Parallel()
	const module = "?module-path=/usr/lib/softhsm/libsofthsm2.so"
	for uri, want := range map[string]string{
		tokenURI:                                  tokenURI,
		"pkcs11:token=pki;object=ca" + module:     tokenURI,
		"pkcs11:object=ca;token=pki" + module:     tokenURI,
		"pkcs11:object=c%61;token=pki" + module:   tokenURI,
		"pkcs11:slot-id=17;id=%01%ff%2f" + module: "pkcs11:slot-id=17;id=%01%FF/;type=private" + module,
		"pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=cba2ddfd;token=my%20pki;object=a+b" + module: "pkcs11:token=my%20pki;manufacturer=SoftHSM%20project;serial=cba2ddfd;model=SoftHSM%20v2;object=a%2Bb;type=private" + module,
		"pkcs11:serial=1;object=%c3%a4?pin-source=file:/etc/pin&module-path=/m.so":                                    "pkcs11:serial=1;object=%C3%A4;type=private?module-path=/m.so&pin-source=file:/etc/pin",
	} {
		items, err := ca.Decode(reference(uri), "ca.key")
		if err != nil || items[0].Key.Token != want {
			t.Errorf("%s: %v, %+v", uri, err, items)
			continue
		}
		if key := items[0].Key; items[0].Kind != ca.ItemPrivateKey || key.Public != nil || key.Encrypted {
			t.Errorf("%+v", items[0])
		}
	}
}

func TestTokenURIErrors(t *testing.T) {
	t.Parallel()
	for uri, says := range map[string]string{
		"file:/x":                                                                     "begin with pkcs11:",
		"PKCS11:token=pki":                                                            "begin with pkcs11:",
		"pkcs11:":                                                                     "is unknown",
		"pkcs11:token=pki?module-path=/m.so":                                          "object",
		"pkcs11:object=ca?module-path=/m.so":                                          "token",
		"pkcs11:token=pki;object=ca":                                                  "module-path",
		"pkcs11:token=pki;object=ca?module-path=m.so":                                 "module-path",
		"pkcs11:token=pki;object=ca?module-path=../m.so":                              "module-path",
		"pkcs11:token=pki;token=pki;object=ca?module-path=/m.so":                      `"token" stands twice`,
		"pkcs11:token=pki;object=ca;colour=red?module-path=/m.so":                     `"colour" is unknown`,
		"pkcs11:token=pki;object=ca;module-path=/m.so":                                `"module-path" is unknown`,
		"pkcs11:token=pki;object=ca;type=cert?module-path=/m.so":                      `type "cert"`,
		"pkcs11:token=pki;object=?module-path=/m.so":                                  `"object" has no value`,
		"pkcs11:token=p%zz;object=ca?module-path=/m.so":                               `"token" has no value`,
		"pkcs11:token=p%00;object=ca?module-path=/m.so":                               `"token" has no value`,
		"pkcs11:token=p%ff;object=ca?module-path=/m.so":                               `"token" has no value`,
		"pkcs11:slot-id=-1;object=ca?module-path=/m.so":                               "slot-id",
		"pkcs11:slot-id=99999999999;object=ca?module-path=/m.so":                      "slot-id",
		"pkcs11:token=pki;object=ca?module-path=/m.so&pin-source=pin":                 "pin-source",
		"pkcs11:token=pki;object=ca?module-path=/m.so&pin-source=%7Crm":               "pin-source",
		"pkcs11:token=pki;object=ca?module-path=/m.so&pin-value=314159":               "pin-value",
		"pkcs11:token=pki;object=ca;pin-value=314159?module-path=/m.so":               "pin-value",
		"pkcs11:token=pki;object=" + strings.Repeat("x", 5000) + "?module-path=/m.so": "at most",
	} {
		dir := filepath.Join(t.TempDir(), "pki")
		_, err := ca.Init(context.Background(), ca.InitOptions{Dir: dir, PKCS11: uri, Now: now, Passphrase: nobody(t)})
		wantUsage(t, uri, err, says)
		if err != nil && strings.Contains(err.Error()+failure.HintOf(err), "314159") {
			t.Errorf("the error shows the PIN: %v", err)
		}
		if _, err := os.Lstat(dir); err == nil {
			t.Errorf("%q: something was made", uri)
		}
	}
}

// TestReferenceErrors: a ca.key that should say where the key is, and does not.
func TestReferenceErrors(t *testing.T) {
	t.Parallel()
	good := reference(tokenURI)
	for what, data := range map[string][]byte{
		"noise":          pemBlock("PKCS#11 PROVIDER URI", []byte("noise")),
		"another string": []byte(strings.Replace(string(good), "MHAaGVBLQ1M", "MHAaGVBLQ1N", 1)),
		"no key":         reference("pkcs11:token=pki?module-path=/m.so"),
		"PIN":            reference(tokenURI + "&pin-value=314159"),
	} {
		_, err := ca.ParseKey(data, "pki/ca.key", nobody(t))
		if err == nil || !strings.HasPrefix(err.Error(), `key "pki/ca.key" cannot be read: `) || failure.HintOf(err) == "" ||
			failure.KindOf(err) != failure.Failed || strings.Contains(err.Error(), "314159") {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := ca.Decode(data, "pki/ca.key"); err == nil || strings.Contains(err.Error(), "314159") {
			t.Errorf("%s: decoded (%v)", what, err)
		}
	}
}

// FuzzTokenURI: a URI that is taken is written in one way, which is read as the same.
func FuzzTokenURI(f *testing.F) {
	f.Add(tokenURI)
	f.Add("pkcs11:serial=1;slot-id=2;id=%01%FF?pin-source=file:/etc/pin&module-path=/m%20/%2B.so")
	f.Add("pkcs11:token=pki;object=ca?module-path=/m.so&pin-value=1")
	f.Add("pkcs11:token=pki;object=ca?module-path=/m.sofpin-value=1")
	f.Fuzz(func(t *testing.T, uri string) {
		der, err := asn1.MarshalWithParams(uri, "utf8")
		if err != nil || len(der) == 0 {
			return // not UTF-8
		}
		items, err := ca.Decode(reference(uri), "ca.key")
		if err != nil {
			return
		}
		shown := items[0].Key.Token
		again, err := ca.Decode(reference(shown), "ca.key")
		if err != nil || again[0].Key.Token != shown {
			t.Fatalf("%q gives %q, which gives %v", uri, shown, err)
		}
		if strings.Contains(shown, "pin-value=") {
			t.Fatalf("%q has a PIN", shown)
		}
	})
}
