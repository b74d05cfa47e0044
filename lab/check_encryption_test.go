package lab

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestEncryptionCheck(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 200})
	config := func(resources, providers string) string {
		return "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: " + resources + "\n  providers: " + providers + "\n"
	}
	with := func(provider, secret string) string {
		return "[{" + provider + ": {keys: [{name: k, secret: '" + secret + "'}]}}, {identity: {}}]"
	}
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	ca := newPKI(t).caCert
	for _, test := range []struct{ name, file, found string }{
		{"good", config("[secrets]", with("aescbc", key)), ""},
		{"every resource of the core group", config("['*.']", with("secretbox", key)), ""},
		{"every resource", config("['*.*']", with("aesgcm", key)), ""},
		{"digits of base 16", config("[secrets]", with("aescbc", encode("0f1e2d3c4b5a69788796a5b4c3d2e1f0"))), ""},
		{"nothing", "", "no file e.yaml"},
		{"no YAML", "a: b: c", "not valid YAML"},
		{"another kind", strings.Replace(config("[secrets]", with("aescbc", key)), "EncryptionConfiguration", "EncryptionConfig", 1), "is not one"},
		{"an older version", strings.Replace(config("[secrets]", with("aescbc", key)), "k8s.io/v1", "k8s.io/v1beta1", 1), "is not one"},
		{"other resources", config("[configmaps]", with("aescbc", key)), "no providers are given for secrets"},
		{"of apps alone", config("['*.apps']", with("aescbc", key)), "no providers are given for secrets"},
		{"identity first", config("[secrets]", "[{identity: {}}, {aescbc: {keys: [{name: k, secret: '"+key+"'}]}}]"), "which is identity"},
		{"no identity", config("[secrets]", "[{aescbc: {keys: [{name: k, secret: '"+key+"'}]}}]"), "the last of 1 providers is aescbc"},
		{"identity alone", config("[secrets]", "[{identity: {}}]"), "which is identity"},
		{"two in one", config("[secrets]", "[{aescbc: {}, aesgcm: {}}, {identity: {}}]"), "one of 2 names"},
		{"no keys", config("[secrets]", "[{aescbc: {}}, {identity: {}}]"), "has no keys"},
		{"no base64", config("[secrets]", with("aescbc", "a secret")), "is not base64"},
		{"20 bytes", config("[secrets]", with("aescbc", encode("0123456789abcdefghij"))), "has 20 bytes"},
		{"16 bytes for secretbox", config("[secrets]", with("secretbox", key[:20]+"AA==")), "has 16 bytes"},
		{"16 bytes for AES", config("[secrets]", with("aescbc", key[:20]+"AA==")), "has 16 bytes, not 32"},
		{"an empty identity", strings.Replace(config("[secrets]", with("aescbc", key)), "identity: {}", "identity: ", 1), "provider identity has no value, and kube-apiserver does not start"},
		{"a sentence", config("[secrets]", with("aescbc", encode("correct horse battery staple 202"))), "can be guessed"},
		{"zeros", config("[secrets]", with("aescbc", encode(strings.Repeat("\x00", 32)))), "can be guessed"},
		{"an unknown field", strings.Replace(config("[secrets]", with("aescbc", key)), "resources:\n", "resource: x\nresources:\n", 1), "resource"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := map[string][]byte{}
			if test.file != "" {
				files["e.yaml"] = []byte(test.file)
			}
			result := gradeOne(t, "encryption", "{file: e.yaml, resource: secrets, providers: [aescbc, aesgcm, secretbox], identity: last, private: true}", files, ca)
			if result.Passed != (test.found == "") || !strings.Contains(result.Found, test.found) {
				t.Errorf("passed %v, wanted %q, found %q", result.Passed, result.Wanted, result.Found)
			}
		})
	}
}
