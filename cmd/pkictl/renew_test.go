package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/kubeconfig"
)

// shell runs a script with the real programs beside pkictl in its PATH.
func shell(t testing.TB, dir, script string) string {
	t.Helper()
	tools, err := filepath.Abs(filepath.Join("..", "..", "tools", "bin"))
	ok(t, err)
	cmd := exec.Command("sh", "-euc", script)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + binDir + ":" + tools + ":" + os.Getenv("PATH"), "HOME=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	return string(out)
}

// facts is what OpenSSL says of a certificate that a renewal must not change.
func facts(t testing.TB, dir, path string) string {
	t.Helper()
	return shell(t, dir, "openssl x509 -in "+path+" -noout -subject -issuer -nameopt RFC2253,-dn_rev,show_type "+
		"-ext subjectAltName,extendedKeyUsage,keyUsage,crlDistributionPoints,authorityInfoAccess")
}

// lasts is for how long a certificate was made, without the time by which its
// beginning was put back.
func lasts(t testing.TB, path string) time.Duration {
	t.Helper()
	cert := readCert(t, path)
	return cert.NotAfter.Sub(cert.NotBefore).Truncate(10 * time.Minute)
}

// foreignSigned makes keys and certificates with OpenSSL and the CA in pki,
// which the inventory knows nothing of.
const foreignSigned = `
cat > ext.cnf <<END
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature%[3]s
extendedKeyUsage = %[2]s
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
%[4]s
END
openssl req -new -newkey %[1]s -nodes -keyout pki/x.key -out x.csr -subj '%[5]s' -utf8 -multivalue-rdn 2>/dev/null
openssl x509 -req -in x.csr -CA pki/ca.crt -CAkey pki/ca.key -days 77 -extfile ext.cnf -out pki/x.crt 2>/dev/null
`

// TestRenewKeeps: OpenSSL finds in the new certificate what was in the old one.
func TestRenewKeeps(t *testing.T) {
	t.Parallel()
	const ec, rsa = "ec -pkeyopt ec_paramgen_curve:P-256", "rsa:2048"
	for _, test := range []struct{ name, key, usages, more, extensions, subject string }{
		{"a client", ec, "clientAuth", "", "", "/O=dev/CN=jane"},
		{"odd attributes", ec, "clientAuth", "", "", "/C=DE/ST=Bayern/L=M\u00fcnchen/O=a/OU=ops/O=b/CN=jane/serialNumber=7"},
		{"groups in one RDN", ec, "clientAuth", "", "", "/O=b+O=a/CN=jane"},
		{"common name first", ec, "clientAuth", "", "", "/CN=jane/O=dev/O=admins"},
		{"names of every kind", rsa, "serverAuth", ",keyEncipherment",
			"subjectAltName=DNS:z.example.com,DNS:a.example.com,DNS:*.w.example.com,email:a@example.com,IP:10.0.0.1,IP:fd00::1,URI:spiffe://td.example.com/ns/a", "/CN=z.example.com"},
		{"usages in another order", ec, "clientAuth,serverAuth", "", "subjectAltName=DNS:a.example.com", "/CN=a.example.com"},
		{"several usages", ec, "serverAuth,clientAuth,codeSigning", "", "subjectAltName=DNS:a.example.com", "/CN=a.example.com"},
		{"CRL and OCSP", ec, "clientAuth", "",
			"authorityInfoAccess=OCSP;URI:http://ocsp.example.com,caIssuers;URI:http://www.example.com/ca.crt\ncrlDistributionPoints=URI:http://crl.example.com/ca.crl", "/CN=jane"},
		{"a P-384 key", "ec -pkeyopt ec_paramgen_curve:P-384", "clientAuth", "", "", "/CN=jane"},
		{"an Ed25519 key", "ed25519", "clientAuth", "", "", "/CN=jane"},
		{"an RSA key of 3072", "rsa:3072", "clientAuth", "", "", "/CN=jane"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			do(t, dir, "init-ca")
			shell(t, dir, fmt.Sprintf(foreignSigned, test.key, test.usages, test.more, test.extensions, test.subject))
			before, oldKey := facts(t, dir, "pki/x.crt"), keyKind(t, dir)
			for round := range 3 { // the second and third are of what pkictl made
				do(t, dir, "renew", "pki/x.crt")
				if after := facts(t, dir, "pki/x.crt"); after != before {
					t.Errorf("round %d: was\n%s\nis\n%s", round, before, after)
				}
				if got := lasts(t, filepath.Join(dir, "pki/x.crt")); got != 77*24*time.Hour {
					t.Errorf("round %d: lasts %v", round, got)
				}
				if after := keyKind(t, dir); after != oldKey {
					t.Errorf("round %d: the key was %s and is %s", round, oldKey, after)
				}
			}
			shell(t, dir, "openssl verify -CAfile pki/ca.crt -x509_strict pki/x.crt")
			checkPairs(t, "renewed", dir)
			if rows := list(t, dir); len(rows.Items) != 4 {
				t.Errorf("%d rows, want the CA's and 3", len(rows.Items))
			}
		})
	}
}

// keyKind is what OpenSSL calls the key of pki/x.
func keyKind(t testing.TB, dir string) string {
	t.Helper()
	return shell(t, dir, "openssl x509 -in pki/x.crt -noout -text | grep -E 'Public Key Algorithm|Public-Key|ASN1 OID|ED25519'")
}

// TestRenewLength: renewed over and over, certificates get neither longer nor shorter.
func TestRenewLength(t *testing.T) {
	t.Parallel()
	for _, validity := range []string{"1m", "17m", "90m", "8h", "90d", "1h5m", "3605s"} {
		t.Run(validity, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			do(t, dir, "init-ca")
			do(t, dir, "issue", "--cn", "jane", "--validity", validity)
			length := func() time.Duration {
				cert := readCert(t, filepath.Join(dir, "pki/jane.crt"))
				return cert.NotAfter.Sub(cert.NotBefore)
			}
			before := length()
			for range 3 {
				do(t, dir, "renew", "jane")
			}
			// The first begins with the CA, perhaps a moment after five minutes ago.
			if after := length(); (after - before).Abs() > 5*time.Second {
				t.Errorf("it lasted %v and lasts %v", before, after)
			}
		})
	}
}

// TestRenewKubeadm renews what kubeadm made: pairs, and kubeconfigs that hold
// theirs.
func TestRenewKubeadm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shell(t, dir, `kubeadm init phase certs all --cert-dir "$PWD/pki" --apiserver-advertise-address 10.0.0.10
		kubeadm init phase kubeconfig all --cert-dir "$PWD/pki" --kubeconfig-dir "$PWD/conf" --apiserver-advertise-address 10.0.0.10`)
	var before []string
	pairs := in("apiserver", "apiserver-kubelet-client")
	confs := in("admin", "super-admin", "controller-manager", "scheduler", "kubelet")
	for _, name := range pairs {
		before = append(before, facts(t, dir, "pki/"+name+".crt"))
		do(t, dir, "renew", name)
	}
	for i, name := range pairs {
		// Clients are sent no key that is enciphered, whatever kubeadm says.
		want := strings.Replace(before[i], "Digital Signature, Key Encipherment", "Digital Signature", min(1, i))
		if after := facts(t, dir, "pki/"+name+".crt"); after != want {
			t.Errorf("%s was\n%s\nis\n%s", name, want, after)
		}
		if got := lasts(t, filepath.Join(dir, "pki", name+".crt")); got != 365*24*time.Hour {
			t.Errorf("%s lasts %v", name, got)
		}
	}
	for _, name := range confs {
		path := filepath.Join(dir, "conf", name+".conf")
		old, err := os.ReadFile(path)
		ok(t, err)
		do(t, dir, "renew", path)
		renewed, err := os.ReadFile(path)
		ok(t, err)
		config, err := kubeconfig.Parse(renewed, path)
		ok(t, err)
		for user, auth := range config.AuthInfos {
			if _, err := tls.X509KeyPair(auth.ClientCertificateData, auth.ClientKeyData); err != nil {
				t.Errorf("%s: %s: %v", name, user, err)
			}
		}
		oldLines, newLines := strings.Split(string(old), "\n"), strings.Split(string(renewed), "\n")
		changed := 0
		for i := range min(len(oldLines), len(newLines)) {
			if oldLines[i] != newLines[i] {
				changed++
			}
		}
		if changed != 2 || len(oldLines) != len(newLines) {
			t.Errorf("%s: %d lines changed, want those of certificate and key", name, changed)
		}
	}
	got := do(t, dir, "renew", "--all", "-o", "json")
	if count := strings.Count(got, `"oldSerial"`); count != len(pairs)+len(confs) {
		t.Errorf("--all finds %d of %d again:\n%s", count, len(pairs)+len(confs), got)
	}
	shell(t, dir, `kubeadm certs check-expiration --cert-dir "$PWD/pki" >/dev/null 2>&1 || true
		for c in apiserver apiserver-kubelet-client; do openssl verify -CAfile pki/ca.crt pki/$c.crt; done`)
}

// TestRenewTwoAtOnce renews one name in two processes: whoever comes second says
// so, and the result fits.
func TestRenewTwoAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	do(t, dir, "init-ca")
	do(t, dir, append(in("issue", "--cn", "jane"), kubeconfigOf("jane")...)...)
	for round := range 20 {
		var results [2]outcome
		inParallel(2, func(i int) { results[i] = runProgram(t, program(dir, "renew", "jane", "-q")) })
		for _, got := range results {
			if got.code != 0 {
				checkRefusal(t, "the second", got, 1, "holds another certificate than the one to renew", "inspect")
			}
		}
		if results[0].code+results[1].code > 1 {
			t.Errorf("round %d: exit codes %d and %d", round, results[0].code, results[1].code)
		}
		checkKilled(t, fmt.Sprint(round), dir, "jane")
		checkRecovered(t, fmt.Sprint(round), dir)
	}
}

func readCert(t testing.TB, path string) *x509.Certificate {
	t.Helper()
	cert, err := ca.ReadCertificate(path)
	ok(t, err)
	return cert
}
