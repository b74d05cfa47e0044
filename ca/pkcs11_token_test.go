//go:build pkcs11

package ca_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pkictl/pkictl/ca"
)

// TestPKCS11Session: a key signs until it is closed, and can be opened again
// after that; so can it after a wrong PIN. SoftHSM finds its tokens by a
// variable of the process, so this test runs alone.
func TestPKCS11Session(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "softhsm2.conf")
	must(0, os.WriteFile(config, []byte("directories.tokendir = "+dir+"\nlog.level = ERROR\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", config)
	out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", "pki", "--pin", "123456", "--so-pin", "87654321").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pki := filepath.Join(dir, "pki")
	if _, err := ca.Init(context.Background(), ca.InitOptions{Dir: pki, PKCS11: tokenURI, Now: now, Passphrase: says("123456")}); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("text"))
	for range 3 {
		if _, err := ca.ReadKey(ca.KeyPath(pki), says("654321")); err == nil {
			t.Fatal("a wrong PIN was taken")
		}
		name := ""
		key, err := ca.ReadKey(ca.KeyPath(pki), func(asked string) ([]byte, error) {
			name = asked
			return []byte("123456"), nil
		})
		if err != nil || name != `PKCS#11 token "pki"` {
			t.Fatalf("asked for %s: %v", name, err)
		}
		if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			t.Error(err)
		}
		if _, err := ca.EncryptKey(key, []byte(passphrase)); err == nil {
			t.Error("the key left the token")
		}
		if data := must(ca.MarshalKey(key)); string(data) != string(reference(tokenURI)) {
			t.Errorf("written as\n%s", data)
		}
		ca.CloseKey(key)
		if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); err == nil {
			t.Error("it signs after it was closed")
		}
	}
}
