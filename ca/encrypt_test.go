package ca_test

import (
	"bytes"
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// passphrase opens what the tests encrypt.
const passphrase = "correct horse battery"

// says answers with a passphrase.
func says(passphrase string) ca.Passphrase {
	return func(string) ([]byte, error) { return []byte(passphrase), nil }
}

// nobody fails a test that asks for a passphrase.
func nobody(t *testing.T) ca.Passphrase {
	return func(name string) ([]byte, error) {
		t.Errorf("asked for the passphrase of %s", name)
		return nil, ca.ErrNoPassphrase
	}
}

// TestEncryptKey: OpenSSL reads each kind of key that EncryptKey writes, finds
// in it what is promised, and so does ParseKey.
func TestEncryptKey(t *testing.T) {
	t.Parallel()
	for _, kind := range ca.KeyKinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			key := must(ca.GenerateKey(kind))
			data := must(ca.EncryptKey(key, []byte(passphrase)))
			path := filepath.Join(t.TempDir(), "ca.key")
			must(0, os.WriteFile(path, data, 0o600))
			plain := must(ca.MarshalKey(key))
			if got := openssl(t, "pkey", "-in", path, "-passin", "pass:"+passphrase); got != string(plain) {
				t.Error("OpenSSL reads another key")
			}
			structure := openssl(t, "asn1parse", "-in", path)
			for _, part := range []string{":PBES2", ":PBKDF2", ":0927C0", ":hmacWithSHA256", ":aes-256-cbc"} { // 600,000
				if !strings.Contains(structure, part) {
					t.Errorf("%s is missing in\n%s", part, structure)
				}
			}
			var names []string
			given := []byte(passphrase)
			got, err := ca.ReadKey(path, func(name string) ([]byte, error) {
				names = append(names, name)
				return given, nil
			})
			if err != nil || !equal(got, key) {
				t.Fatalf("another key (%v)", err)
			}
			if want := "key " + strconv.Quote(path); len(names) != 1 || names[0] != want {
				t.Errorf("asked for %q, want %q", names, want)
			}
			if !bytes.Equal(given, make([]byte, len(passphrase))) {
				t.Error("the passphrase was not forgotten")
			}
			if bytes.Equal(data, must(ca.EncryptKey(key, []byte(passphrase)))) {
				t.Error("the same salt twice")
			}
		})
	}
	if _, err := ca.EncryptKey(must(ca.GenerateKey(ca.ECDSAP256)), nil); err == nil {
		t.Error("an empty passphrase was taken")
	}
}

// opensslForms are the encrypted keys that OpenSSL writes and that are read, by
// the arguments that make them of a plain RSA key.
var opensslForms = map[string][]string{
	"PKCS#8":                  {"pkcs8", "-topk8"},
	"PKCS#8 aes-128-cbc":      {"pkcs8", "-topk8", "-v2", "aes-128-cbc"},
	"PKCS#8 aes-192-cbc":      {"pkcs8", "-topk8", "-v2", "aes-192-cbc"},
	"PKCS#8 aes-256-cbc":      {"pkcs8", "-topk8", "-v2", "aes-256-cbc", "-iter", "600000"},
	"PKCS#8 des3":             {"pkcs8", "-topk8", "-v2", "des3"},
	"PKCS#8 SHA-1":            {"pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1", "-iter", "2048"},
	"PKCS#8 des3 SHA-1":       {"pkcs8", "-topk8", "-v2", "des3", "-v2prf", "hmacWithSHA1", "-iter", "1"},
	"pkey -aes256":            {"pkey", "-aes256"},
	"traditional aes-256-cbc": {"rsa", "-aes256", "-traditional"},
	"traditional aes-192-cbc": {"rsa", "-aes192", "-traditional"},
	"traditional aes-128-cbc": {"rsa", "-aes128", "-traditional"},
	"traditional des3":        {"rsa", "-des3", "-traditional"},
}

// writeKey writes a plain key for OpenSSL to encrypt.
func writeKey(t testing.TB, key crypto.Signer) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plain.key")
	must(0, os.WriteFile(path, must(ca.MarshalKey(key)), 0o600))
	return path
}

// encrypted has OpenSSL encrypt the key in a file.
func encrypted(t testing.TB, plain string, args ...string) []byte {
	t.Helper()
	args = append(args, "-in", plain, "-passout", "pass:"+passphrase)
	var stderr strings.Builder
	cmd := exec.Command("openssl", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %q: %v\n%s", args, err, stderr.String())
	}
	return out
}

func TestReadOpenSSLEncrypted(t *testing.T) {
	t.Parallel()
	rsaKey, ecKey := must(ca.GenerateKey(ca.RSA2048)), must(ca.GenerateKey(ca.ECDSAP384))
	plainRSA, plainEC := writeKey(t, rsaKey), writeKey(t, ecKey)
	check := func(form string, data []byte, key crypto.Signer) {
		if !bytes.Contains(data, []byte("ENCRYPTED")) {
			t.Fatalf("%s: not encrypted", form)
		}
		if got, err := ca.ParseKey(data, "x.key", says(passphrase)); err != nil || !equal(got, key) {
			t.Errorf("%s: another key (%v)", form, err)
		}
	}
	for form, args := range opensslForms {
		check(form, encrypted(t, plainRSA, args...), rsaKey)
	}
	check("SEC 1", encrypted(t, plainEC, "ec", "-aes256"), ecKey)
	check("EC in PKCS#8", encrypted(t, plainEC, "pkcs8", "-topk8"), ecKey)
}

// TestReadEasyRSAKey reads the key of a CA that easy-rsa made.
func TestReadEasyRSAKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pass := filepath.Join(dir, "pass")
	must(0, os.WriteFile(pass, []byte(passphrase+"\n"+passphrase+"\n"), 0o600)) // a line for each way
	for _, args := range [][]string{{"init-pki"}, {"build-ca"}} {
		cmd := exec.Command("/usr/share/easy-rsa/easyrsa", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "EASYRSA_BATCH=1", "EASYRSA_PASSIN=file:"+pass, "EASYRSA_PASSOUT=file:"+pass)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("easyrsa %v: %v\n%s", args, err, out)
		}
	}
	key, err := ca.ReadKey(filepath.Join(dir, "pki", "private", "ca.key"), says(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	cert := must(ca.ReadCertificate(filepath.Join(dir, "pki", "ca.crt")))
	if !cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
		t.Error("not the key of the CA")
	}
}

// TestUnreadableEncryption: what cannot be decrypted is said before anybody is
// asked, with the command that converts it; and that command does.
func TestUnreadableEncryption(t *testing.T) {
	t.Parallel()
	key := must(ca.GenerateKey(ca.ECDSAP256))
	plain := writeKey(t, key)
	for how, args := range map[string][]string{
		"KDF scrypt":                    {"-scrypt"},
		"pkcs12-sha1 with des-ede3-cbc": {"-v1", "PBE-SHA1-3DES"},
		"KDF pbkdf2-hmac-sha512":        {"-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512"},
		"cipher 1.2.392.200011.61":      {"-v2", "camellia-256-cbc"},
	} {
		data := encrypted(t, plain, append([]string{"pkcs8", "-topk8"}, args...)...)
		_, err := ca.ParseKey(data, "x.key", nobody(t))
		if err == nil || !strings.Contains(err.Error(), `key "x.key" is encrypted in a way that cannot be read: `+how) {
			t.Errorf("%s: %v", how, err)
			continue
		}
		_, command, _ := strings.Cut(failure.HintOf(err), "with: openssl ")
		command, _, _ = strings.Cut(command, " (")
		dir := t.TempDir()
		must(0, os.WriteFile(filepath.Join(dir, "FILE"), data, 0o600))
		cmd := exec.Command("openssl", append(strings.Fields(command), "-passin", "pass:"+passphrase, "-passout", "pass:"+passphrase)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		if got, err := ca.ReadKey(filepath.Join(dir, "NEW"), says(passphrase)); err != nil || !equal(got, key) {
			t.Errorf("%s: another key after converting (%v)", how, err)
		}
	}
}

// TestWrongPassphrase tries so many that the padding is right by chance with
// some of them.
func TestWrongPassphrase(t *testing.T) {
	t.Parallel()
	plain := writeKey(t, must(ca.GenerateKey(ca.RSA2048)))
	for _, args := range [][]string{
		{"pkcs8", "-topk8", "-iter", "1"}, {"pkcs8", "-topk8", "-v2", "des3", "-iter", "1"}, {"rsa", "-aes256", "-traditional"},
	} {
		data := encrypted(t, plain, args...)
		for n := range 1500 {
			wrong := "wrong-" + strconv.Itoa(n)
			key, err := ca.ParseKey(data, "pki/ca.key", says(wrong))
			if key != nil || err == nil || err.Error() != `the passphrase of key "pki/ca.key" is wrong` ||
				failure.HintOf(err) == "" || failure.KindOf(err) != failure.Failed || strings.Contains(failure.HintOf(err), wrong) {
				t.Fatalf("%v: %q: %v (hint %q)", args, wrong, err, failure.HintOf(err))
			}
		}
	}
}

// TestNoPassphrase: who cannot be asked, or has no answer.
func TestNoPassphrase(t *testing.T) {
	t.Parallel()
	data := encrypted(t, writeKey(t, must(ca.GenerateKey(ca.ECDSAP256))), "pkcs8", "-topk8")
	broken := errors.New("the terminal is gone")
	for _, test := range []struct {
		ask  ca.Passphrase
		says string
	}{
		{nil, `key "x.key" is encrypted`},
		{func(string) ([]byte, error) { return nil, ca.ErrNoPassphrase }, `key "x.key" is encrypted`},
		{func(string) ([]byte, error) { return nil, nil }, `the passphrase of key "x.key" is empty`},
		{func(string) ([]byte, error) { return nil, broken }, broken.Error()},
	} {
		if _, err := ca.ParseKey(data, "x.key", test.ask); err == nil || err.Error() != test.says {
			t.Errorf("%v, want %s", err, test.says)
		} else if !errors.Is(err, broken) && failure.HintOf(err) != "pass --passphrase-file, or set PKICTL_PASSPHRASE" {
			t.Errorf("%s: hint %q", test.says, failure.HintOf(err))
		}
	}
}

// TestDamagedEncryptedKey: a file that was cut or changed is damaged, whatever
// the passphrase.
func TestDamagedEncryptedKey(t *testing.T) {
	t.Parallel()
	plain := writeKey(t, must(ca.GenerateKey(ca.RSA2048)))
	good, _ := pem.Decode(encrypted(t, plain, "pkcs8", "-topk8"))
	old, _ := pem.Decode(encrypted(t, plain, "rsa", "-aes256", "-traditional"))
	damaged := func(what string, block *pem.Block, ask ca.Passphrase) {
		_, err := ca.ParseKey(pem.EncodeToMemory(block), "x.key", ask)
		if err == nil || err.Error() != `key "x.key" is damaged or of an unknown kind` || failure.HintOf(err) == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	for n := 0; n < len(good.Bytes); n += 7 {
		damaged("cut off", &pem.Block{Type: good.Type, Bytes: good.Bytes[:n]}, nobody(t))
	}
	damaged("more behind it", &pem.Block{Type: good.Type, Bytes: append(bytes.Clone(good.Bytes), 0)}, nobody(t))
	damaged("too large", &pem.Block{Type: good.Type, Bytes: make([]byte, 100<<10)}, nobody(t))
	for _, n := range []int{0, 1, 15, 17, len(old.Bytes) - 1} {
		damaged("old form cut off", &pem.Block{Type: old.Type, Headers: old.Headers, Bytes: old.Bytes[:n]}, nobody(t))
	}
	for _, dek := range []string{"", ",", "AES-256-CBC", "AES-256-CBC,00", "AES-256-CBC,zz", "DES-EDE3-CBC," + strings.Repeat("0", 32)} {
		headers := map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": dek}
		damaged("DEK-Info "+dek, &pem.Block{Type: old.Type, Headers: headers, Bytes: old.Bytes}, nobody(t))
	}
	// With the right passphrase the beginning is that of a key.
	for what, block := range map[string]*pem.Block{"changed": good, "old form changed": old} {
		changed := bytes.Clone(block.Bytes)
		changed[len(changed)/2] ^= 1
		damaged(what, &pem.Block{Type: block.Type, Headers: block.Headers, Bytes: changed}, says(passphrase))
	}
}

// pbes2 is what RFC 8018 calls PBES2-params around PBKDF2-params.
type pbes2 struct {
	Algorithm struct {
		OID    asn1.ObjectIdentifier
		Params struct {
			KDF struct {
				OID    asn1.ObjectIdentifier
				Params struct {
					Salt       []byte
					Iterations int64
					KeyLength  int                      `asn1:"optional"`
					PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
				}
			}
			Cipher struct {
				OID asn1.ObjectIdentifier
				IV  []byte
			}
		}
	}
	Data []byte
}

// TestEncryptionParameters: a file cannot ask for work without end, nor for
// what makes no sense; what RFC 8018 allows and OpenSSL does not write is read.
func TestEncryptionParameters(t *testing.T) {
	t.Parallel()
	key := must(ca.GenerateKey(ca.ECDSAP256))
	written, _ := pem.Decode(encrypted(t, writeKey(t, key), "pkcs8", "-topk8", "-v2prf", "hmacWithSHA256", "-v2", "aes-256-cbc"))
	const damaged = `key "x.key" is damaged or of an unknown kind`
	const unreadable = `key "x.key" is encrypted in a way that cannot be read: `
	for _, test := range []struct {
		name   string
		change func(*pbes2)
		says   string // nothing: it is read
	}{
		{"as it is", func(*pbes2) {}, ""},
		{"key length", func(p *pbes2) { p.Algorithm.Params.KDF.Params.KeyLength = 32 }, ""},
		{"PRF without NULL", func(p *pbes2) { p.Algorithm.Params.KDF.Params.PRF.Parameters = asn1.RawValue{} }, ""},
		{"wrong key length", func(p *pbes2) { p.Algorithm.Params.KDF.Params.KeyLength = 16 }, damaged},
		{"no iterations", func(p *pbes2) { p.Algorithm.Params.KDF.Params.Iterations = 0 }, damaged},
		{"negative iterations", func(p *pbes2) { p.Algorithm.Params.KDF.Params.Iterations = -1 }, damaged},
		{"2^31 iterations", func(p *pbes2) { p.Algorithm.Params.KDF.Params.Iterations = 1 << 31 }, unreadable + "2147483648 iterations are more than 10000000"},
		{"2^62 iterations", func(p *pbes2) { p.Algorithm.Params.KDF.Params.Iterations = 1 << 62 }, unreadable},
		{"one iteration too many", func(p *pbes2) { p.Algorithm.Params.KDF.Params.Iterations = 10_000_001 }, unreadable},
		{"no salt", func(p *pbes2) { p.Algorithm.Params.KDF.Params.Salt = nil }, damaged},
		{"long salt", func(p *pbes2) { p.Algorithm.Params.KDF.Params.Salt = make([]byte, 2000) }, damaged},
		{"no vector", func(p *pbes2) { p.Algorithm.Params.Cipher.IV = nil }, damaged},
		{"short vector", func(p *pbes2) { p.Algorithm.Params.Cipher.IV = make([]byte, 8) }, damaged},
		{"no data", func(p *pbes2) { p.Data = nil }, damaged},
		{"part of a block", func(p *pbes2) { p.Data = p.Data[1:] }, damaged},
		{"unknown cipher", func(p *pbes2) { p.Algorithm.Params.Cipher.OID = asn1.ObjectIdentifier{1, 2, 3} }, unreadable + "cipher 1.2.3"},
		{"unknown KDF", func(p *pbes2) { p.Algorithm.Params.KDF.OID = asn1.ObjectIdentifier{1, 2, 3} }, unreadable + "KDF 1.2.3"},
		{"unknown PRF", func(p *pbes2) { p.Algorithm.Params.KDF.Params.PRF.Algorithm = asn1.ObjectIdentifier{1, 2, 3} }, unreadable + "KDF pbkdf2-1.2.3"},
		{"unknown scheme", func(p *pbes2) { p.Algorithm.OID = asn1.ObjectIdentifier{1, 2, 3} }, unreadable + "scheme 1.2.3"},
	} {
		var p pbes2
		if rest, err := asn1.Unmarshal(written.Bytes, &p); err != nil || len(rest) > 0 {
			t.Fatal(err)
		}
		test.change(&p)
		data := pemBlock(written.Type, must(asn1.Marshal(p)))
		ask := says(passphrase)
		if test.says != "" {
			ask = nobody(t)
		}
		got, err := ca.ParseKey(data, "x.key", ask)
		switch {
		case test.says == "" && (err != nil || !equal(got, key)):
			t.Errorf("%s: another key (%v)", test.name, err)
		case test.says != "" && (err == nil || !strings.HasPrefix(err.Error(), test.says) || failure.HintOf(err) == ""):
			t.Errorf("%s: %v, want %q", test.name, err, test.says)
		}
	}
}

// encryptedSeeds has a key in every form that is encrypted, and some that are
// not read.
func encryptedSeeds(f *testing.F) [][]byte {
	ec, rsa := writeKey(f, must(ca.GenerateKey(ca.ECDSAP256))), writeKey(f, must(ca.GenerateKey(ca.RSA2048)))
	seeds := [][]byte{reference(tokenURI)}
	for _, args := range [][]string{
		{"-v2", "aes-256-cbc", "-iter", "1"}, {"-v2", "aes-128-cbc", "-iter", "2", "-v2prf", "hmacWithSHA1"}, {"-v2", "des3", "-iter", "3"},
		{"-scrypt"}, {"-v1", "PBE-SHA1-3DES"}, {"-v2", "aes-256-cbc", "-iter", "1", "-v2prf", "hmacWithSHA512"},
	} {
		seeds = append(seeds, encrypted(f, ec, append([]string{"pkcs8", "-topk8"}, args...)...))
	}
	return append(seeds, encrypted(f, rsa, "rsa", "-aes256", "-traditional"), encrypted(f, ec, "ec", "-des3"))
}
