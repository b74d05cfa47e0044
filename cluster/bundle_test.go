package cluster

import (
	"archive/tar"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// testClusterDir makes a cluster directory for one node.
func testClusterDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kubernetes")
	settings := Settings{Name: "test", Nodes: []NodeSettings{{Name: "a", Address: "10.0.0.10"}}}
	if _, err := Init(t.Context(), InitOptions{Dir: dir, Settings: settings, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSharedFiles: what kubeadm copies (copycerts.go, certsToTransfer), beside
// the chains of intermediate CAs and cluster.yaml.
func TestSharedFiles(t *testing.T) {
	t.Parallel()
	var names []string
	for _, f := range sharedFiles() {
		if f.kind != BundleChain {
			names = append(names, f.name)
		}
	}
	want := []string{
		"cluster.yaml", "pki/ca.crt", "pki/ca.key", "pki/front-proxy-ca.crt", "pki/front-proxy-ca.key",
		"pki/etcd/ca.crt", "pki/etcd/ca.key", "pki/sa.key", "pki/sa.pub",
	}
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func fixedPassphrase(passphrase string) ca.Passphrase {
	return func(string) ([]byte, error) { return []byte(passphrase), nil }
}

// testSSHKey returns an SSH key, its public part, and its file with and without
// a passphrase.
func testSSHKey(t *testing.T, key any) (public string, file, encrypted []byte) {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "jane@example.com")
	if err != nil {
		t.Fatal(err)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(key, "jane@example.com", []byte("hidden well"))
	if err != nil {
		t.Fatal(err)
	}
	public = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))) + " jane@example.com"
	return public, pem.EncodeToMemory(block), pem.EncodeToMemory(locked)
}

// TestBundleKeys: each kind of key opens what was encrypted to it and to
// others, and the files are the same.
func TestBundleKeys(t *testing.T) {
	t.Parallel()
	dir := testClusterDir(t)
	native, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edFile, edLocked := testSSHKey(t, edKey)
	rsaPublic, rsaFile, _ := testSSHKey(t, rsaKey)
	classic := []string{native.Recipient().String(), edPublic, rsaPublic}
	for _, test := range []struct {
		name     string
		to       []string
		identity []byte
		ask      ca.Passphrase
	}{
		{"age", classic, []byte("# mine\n" + native.String() + "\n"), nil},
		{"ssh-ed25519", classic, edFile, nil},
		{"ssh-rsa", classic, rsaFile, nil},
		{"an SSH key with a passphrase", classic, edLocked, fixedPassphrase("hidden well")},
		{"post-quantum", []string{hybrid.Recipient().String()}, []byte(hybrid.String()), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			work := t.TempDir()
			key := filepath.Join(work, "key")
			testWrite(t, key, test.identity)
			file := filepath.Join(work, "x.age")
			made, err := MakeBundle(t.Context(), BundleOptions{Dir: dir, Recipients: Recipients{Keys: test.to}, Out: file, Now: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			if len(made.Recipients) != len(test.to) || made.Name != "test" {
				t.Errorf("for %q: %q", made.Name, made.Recipients)
			}
			to := filepath.Join(work, "new")
			restored, err := Restore(t.Context(), RestoreOptions{
				File: file, Identities: Identities{Files: []string{key}, Passphrase: test.ask}, Dir: to, Now: time.Now(),
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(restored.Written) != 9 || restored.Kept != nil {
				t.Errorf("written %q, kept %q", restored.Written, restored.Kept)
			}
			for _, f := range restored.Files {
				want, err := os.ReadFile(filepath.Join(dir, f.Name))
				if err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(filepath.Join(to, f.Name)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s is not the same (%v)", f.Name, err)
				}
			}
		})
	}
}

// TestBundleRecipientNames: an SSH key is named by its fingerprint, and a key
// that is given twice counts once.
func TestBundleRecipientNames(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, _, _ := testSSHKey(t, key)
	native, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys")
	testWrite(t, file, []byte("# those who may\r\n\r\n"+public+"\r\n"+native.Recipient().String()+"\r\n"))
	recipients, names, err := Recipients{Keys: []string{native.Recipient().String()}, Files: []string{file}}.resolve()
	if err != nil || len(recipients) != 2 {
		t.Fatalf("%d recipients, %v", len(recipients), err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{native.Recipient().String(), "ssh-ed25519 " + ssh.FingerprintSHA256(signer.PublicKey()) + " jane@example.com"}
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

// TestBundleMixedRecipients: age does not let a key of today weaken one that is
// to outlast quantum computers.
func TestBundleMixedRecipients(t *testing.T) {
	t.Parallel()
	native, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "x.age")
	_, err = MakeBundle(t.Context(), BundleOptions{
		Dir: testClusterDir(t), Recipients: Recipients{Keys: []string{native.Recipient().String(), hybrid.Recipient().String()}}, Out: out, Now: time.Now(),
	})
	if failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), "taken together") {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// TestBundleNotYetValid: a clock that is wrong is said, and nothing is made.
func TestBundleNotYetValid(t *testing.T) {
	t.Parallel()
	dir := testClusterDir(t)
	_, err := ReadBundle(dir, time.Now().AddDate(-1, 0, 0))
	if err == nil || !strings.Contains(err.Error(), "is not valid before") || !strings.Contains(failure.HintOf(err), "clock") {
		t.Errorf("%v", err)
	}
	if _, err := ReadBundle(dir, time.Now().AddDate(11, 0, 0)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("%v", err)
	}
}

// TestBundleRotatedKeys: sa.pub may hold more keys than sa.key's, ca.crt more
// than the CA's own certificate.
func TestBundleRotatedKeys(t *testing.T) {
	t.Parallel()
	dir, other := testClusterDir(t), testClusterDir(t)
	for _, name := range []string{"pki/sa.pub", "pki/ca.crt"} {
		path := filepath.Join(dir, name)
		mine, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		old, err := os.ReadFile(filepath.Join(other, name))
		if err != nil {
			t.Fatal(err)
		}
		testWrite(t, path, slices.Concat(mine, old))
	}
	if b, err := ReadBundle(dir, time.Now()); err != nil || b.Warnings != nil {
		t.Errorf("%v %v", b, err)
	}
}

// TestBundleChain: an intermediate CA goes with its chain.
func TestBundleChain(t *testing.T) {
	t.Parallel()
	dir, work := testClusterDir(t), t.TempDir()
	root := filepath.Join(work, "root")
	testCA(t, root, "root")
	if err := os.RemoveAll(PKIDir(dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Init(t.Context(), ca.InitOptions{Dir: PKIDir(dir), Parent: root, CommonName: "kubernetes", Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	testServiceAccountKeys(t, PKIDir(dir))
	b, err := ReadBundle(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	chain := b.file("pki/ca-chain.crt")
	if chain == nil || chain.Kind != BundleChain || chain.Kind.mode() != 0o644 || len(b.Warnings) != 2 {
		t.Errorf("chain %v, warnings %q", chain, b.Warnings)
	}
}

// TestArchiveIsTheSame: the same files at the same time are the same archive.
func TestArchiveIsTheSame(t *testing.T) {
	t.Parallel()
	b, err := ReadBundle(testClusterDir(t), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	first, err := b.archive(now)
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.archive(now)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("they differ (%v)", err)
	}
	files, err := readArchive(first, "x")
	if err != nil || len(files) != len(b.Files) {
		t.Errorf("%d files of %d, %v", len(files), len(b.Files), err)
	}
}

// FuzzReadArchive: whatever somebody has encrypted, what is read of it are files
// of the table, each once and no larger than it may be, as tar itself reads them.
func FuzzReadArchive(f *testing.F) {
	for _, entries := range [][]tar.Header{
		{{Typeflag: tar.TypeDir, Name: "pki/"}, {Typeflag: tar.TypeReg, Name: "pki/ca.crt", Size: 5}},
		{{Typeflag: tar.TypeReg, Name: "../ca.crt", Size: 5}},
		{{Typeflag: tar.TypeReg, Name: "pki/ca.crt", Size: 5}, {Typeflag: tar.TypeReg, Name: "pki/ca.crt", Size: 5}},
		{{Typeflag: tar.TypeSymlink, Name: "pki/ca.key", Linkname: "/etc/shadow"}},
		{{Typeflag: tar.TypeReg, Name: "cluster.yaml", Size: 5, Format: tar.FormatPAX, PAXRecords: map[string]string{"VENDOR.x": "y"}}},
		{{Typeflag: tar.TypeReg, Name: "pki/etcd/" + strings.Repeat("x", 200), Size: 5, Format: tar.FormatGNU}},
	} {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for _, header := range entries {
			if err := w.WriteHeader(&header); err != nil {
				f.Fatal(err)
			}
			if header.Size > 0 {
				if _, err := w.Write([]byte("hello")); err != nil {
					f.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(out.Bytes())
		f.Add(out.Bytes()[:out.Len()-512])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := readArchive(data, "x")
		if err != nil {
			if failure.HintOf(err) == "" {
				t.Errorf("no hint: %v", err)
			}
			return
		}
		r := tar.NewReader(bytes.NewReader(data))
		seen := map[string]bool{}
		for _, file := range files {
			header, err := r.Next()
			for err == nil && header.Typeflag == tar.TypeDir {
				header, err = r.Next()
			}
			if err != nil || header.Name != file.Name || header.Typeflag != tar.TypeReg {
				t.Fatalf("%q: tar has %v (%v)", file.Name, header, err)
			}
			want, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(want, file.Data) {
				t.Errorf("%q: other contents (%v)", file.Name, err)
			}
			if seen[file.Name] || sharedKind(file.Name) == "" || sharedKind(file.Name) != file.Kind || int64(len(file.Data)) > file.Kind.max() {
				t.Errorf("%q is taken", file.Name)
			}
			seen[file.Name] = true
		}
		for {
			header, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil || header.Typeflag != tar.TypeDir {
				t.Fatalf("tar has %v more (%v)", header, err)
			}
		}
	})
}
