package main_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestFinishKnownCAs: a CA, or the root above one, that is in its place before is
// the only one that is taken; of one that is taken from elsewhere the
// fingerprint is said.
func TestFinishKnownCAs(t *testing.T) {
	t.Parallel()
	const roots = "\noutside stranger; outside root; for name in ca front-proxy-ca etcd/ca; do %; done\n"
	sign := func(signer string) string {
		return strings.ReplaceAll(roots, "%", "sign "+signer+" kubernetes/pki/$name.csr")
	}
	for name, test := range map[string]struct {
		kind, prepare string
		refused       string
	}{
		"leaves, of that CA": {"leaves", "\ndirs=kubernetes" + signAll + "cp outside/ca.crt kubernetes/pki/ca.crt", ""},
		"leaves, of a stranger's": {"leaves", "\ndirs=kubernetes" + signAll + "outside stranger; cp outside/stranger.crt kubernetes/pki/ca.crt",
			"CA: wanted O=Outside,CN=stranger; found O=Outside,CN=ca"},
		"cas, of that root":       {"cas", sign("root") + "cp outside/root.crt kubernetes/pki/ca-chain.crt; rm certs/root.txt", ""},
		"cas, of a stranger's":    {"cas", sign("stranger") + "cp outside/root.crt kubernetes/pki/ca-chain.crt", "CA: wanted a chain to O=Outside,CN=root in kubernetes/pki/ca-chain.crt; found none"},
		"cas, of a root unknown":  {"cas", sign("root"), ""},
		"cas, of both, which one": {"cas", sign("root") + "sign stranger kubernetes/pki/ca.csr; cp outside/root.crt kubernetes/pki/ca-chain.crt", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			shell(t, dir, "pkictl cluster init --csr-only="+test.kind+" "+cp1+outsideCAs+test.prepare)
			before := snapshot(t, dir)
			got := runProgram(t, program(dir, "cluster", "finish", "--certs", "certs", "-o", "json"))
			if test.refused != "" {
				text := runProgram(t, program(dir, "cluster", "finish", "--certs", "certs")).stdout
				if got.code != 3 || !strings.Contains(text, test.refused) {
					t.Errorf("exit code %d, want %q in\n%s", got.code, test.refused, text)
				}
				checkUnchanged(t, "finish", dir, before)
				return
			}
			if got.code != 0 {
				t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			if test.kind == "cas" {
				shell(t, dir, "openssl verify -CAfile outside/root.crt kubernetes/pki/ca.crt")
			}
			if strings.Contains(test.prepare, "ca-chain.crt") {
				shell(t, dir, "openssl verify -CAfile kubernetes/pki/ca-chain.crt kubernetes/pki/ca.crt")
			}
			checkFingerprints(t, dir, got.stdout, test.kind == "leaves")
		})
	}
}

// checkFingerprints holds those of CAs that were placed against OpenSSL's.
func checkFingerprints(t *testing.T, dir, stdout string, clusterCAIsKept bool) {
	t.Helper()
	var result struct {
		Nodes []struct {
			Entries []struct{ Name, State, FingerprintSHA256 string }
		}
	}
	ok(t, json.Unmarshal([]byte(stdout), &result))
	said := map[string]string{}
	for _, entry := range result.Nodes[0].Entries {
		if entry.FingerprintSHA256 != "" {
			said[entry.Name] = entry.FingerprintSHA256
		}
	}
	want := map[string]bool{"ca": !clusterCAIsKept, "front-proxy-ca": true, "etcd/ca": true}
	for name, isSaid := range want {
		if !isSaid {
			if said[name] != "" {
				t.Errorf("%s was there before, and has the fingerprint %s", name, said[name])
			}
			continue
		}
		out := shell(t, dir, "openssl x509 -in kubernetes/pki/"+name+".crt -noout -fingerprint -sha256")
		if _, sum, _ := strings.Cut(strings.TrimSpace(out), "="); said[name] != sum {
			t.Errorf("%s: said %q, OpenSSL has %q", name, said[name], sum)
		}
	}
	if len(said) > len(want) {
		t.Errorf("fingerprints of more than CAs: %v", said)
	}
}

// TestRequestsSayWhereKnownCAsGo: that is the moment to put them there.
func TestRequestsSayWhereKnownCAsGo(t *testing.T) {
	t.Parallel()
	for kind, suffix := range map[string]string{"leaves": ".crt\n", "cas": "-chain.crt\n"} {
		dir := t.TempDir()
		out := shell(t, dir, "pkictl cluster init --csr-only="+kind+" "+cp1)
		_, advice, _ := strings.Cut(out, "is known already, put it in its place before")
		for _, name := range []string{"ca", "front-proxy-ca", "etcd/ca"} {
			if !strings.Contains(advice, "  kubernetes/pki/"+name+suffix) {
				t.Errorf("--csr-only=%s does not say where the known %s goes:\n%s", kind, name, out)
			}
		}
	}
}
