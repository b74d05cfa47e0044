package kubeconfig_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/kubeconfig"
)

var epoch = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// wallet is a cache with a clock and a signer of its own.
type wallet struct {
	t        *testing.T
	dir      string
	now      time.Time
	life     time.Duration
	refuse   error // of the signer
	name     string
	minted   atomic.Int64
	warnings []string
	mu       sync.Mutex
	change   func(*kubeconfig.CredentialCache)
}

func newWallet(t *testing.T) *wallet {
	return &wallet{t: t, dir: filepath.Join(t.TempDir(), "cache"), now: epoch, life: time.Hour, name: "jane"}
}

func (w *wallet) want() kubeconfig.Want {
	return kubeconfig.Want{CommonName: "jane", Groups: []string{"dev", "ops"}, Key: "ecdsa-p256", Lifetime: w.life, Source: []string{"test"}}
}

// mint signs with the key itself: the cache does not ask who has signed.
func (w *wallet) mint(context.Context, *kubeconfig.Minting) (certPEM, keyPEM []byte, err error) {
	if w.refuse != nil {
		return nil, nil, w.refuse
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(w.minted.Add(1)), Subject: pkix.Name{CommonName: w.name, Organization: []string{"ops", "dev"}},
		NotBefore: w.now.Add(-5 * time.Minute), NotAfter: w.now.Add(w.life),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), err
}

func (w *wallet) get() (*kubeconfig.Credential, error) {
	cache := &kubeconfig.CredentialCache{
		Dir: w.dir, Now: func() time.Time { return w.now }, Wait: 10 * time.Second,
		Warn: func(warning string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.warnings = append(w.warnings, warning)
		},
	}
	if w.change != nil {
		w.change(cache)
	}
	return cache.Get(w.t.Context(), w.want(), w.mint)
}

// wants gets a credential, which has that serial, and as many warnings.
func (w *wallet) wants(serial int64, warnings int) *kubeconfig.Credential {
	w.t.Helper()
	w.warnings = nil
	got, err := w.get()
	if err != nil {
		w.t.Fatal(err)
	}
	if n := got.Certificate.SerialNumber.Int64(); n != serial || len(w.warnings) != warnings {
		w.t.Errorf("at %s got number %d with %q; want number %d and %d warnings", w.now.Format(time.TimeOnly), n, w.warnings, serial, warnings)
	}
	if !got.AskAgain.After(w.now) || got.AskAgain.After(got.Certificate.NotAfter) {
		w.t.Errorf("at %s: ask again at %s; it ends at %s", w.now, got.AskAgain, got.Certificate.NotAfter)
	}
	return got
}

func (w *wallet) files() []string {
	w.t.Helper()
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// path is that of the only file with that suffix.
func (w *wallet) path(suffix string) string {
	w.t.Helper()
	for _, name := range w.files() {
		if strings.HasSuffix(name, suffix) {
			return filepath.Join(w.dir, name)
		}
	}
	w.t.Fatalf("no %s in %v", suffix, w.files())
	return ""
}

// TestCredentialLife: one credential from its birth to its end.
func TestCredentialLife(t *testing.T) {
	t.Parallel()
	w := newWallet(t)
	first := w.wants(1, 0)
	if at := first.AskAgain.Sub(epoch); at > 40*time.Minute || at < 35*time.Minute-time.Second {
		t.Errorf("the client asks again after %s", at)
	}
	w.now = first.AskAgain.Add(-time.Second)
	if again := w.wants(1, 0); !again.AskAgain.Equal(first.AskAgain) {
		t.Errorf("asked twice, it says %s and %s", first.AskAgain, again.AskAgain)
	}
	w.now = first.AskAgain
	second := w.wants(2, 0)

	// It cannot be renewed, and still holds.
	w.refuse = failure.New(failure.Failed, "wait", "the signer is ill")
	w.now = second.AskAgain
	old := w.wants(2, 1)
	if text := w.warnings[0]; !strings.Contains(text, "the signer is ill; wait") || !strings.Contains(text, "holds until 2030-01-01T13:") {
		t.Errorf("warning %q", text)
	}
	if at := old.AskAgain.Sub(w.now); at != time.Minute {
		t.Errorf("it is tried again after %s", at)
	}
	w.wants(2, 0) // nobody is asked
	w.now = old.AskAgain
	w.wants(2, 1)

	// Shortly before the end, and after it.
	w.now = second.Certificate.NotAfter.Add(-time.Second)
	w.wants(2, 1)
	w.now = second.Certificate.NotAfter
	if _, err := w.get(); !errors.Is(err, w.refuse) {
		t.Errorf("after the end: %v", err)
	}
	w.refuse = nil
	w.wants(3, 0)

	// The clock goes back by a little, as between two processes, and by much.
	w.now = w.now.Add(-30 * time.Second)
	w.wants(3, 0)
	w.now = w.now.Add(-2 * time.Hour)
	w.wants(4, 0)
	if got := w.files(); len(got) != 2 {
		t.Errorf("files %v", got)
	}
}

func TestCredentialIsAskedForAnew(t *testing.T) {
	t.Parallel()
	w := newWallet(t)
	w.change = func(c *kubeconfig.CredentialCache) { c.Issuer = "one" }
	w.wants(1, 0)
	w.wants(1, 0)
	w.change = nil // the CA is not there to be looked at
	w.wants(1, 0)
	w.change = func(c *kubeconfig.CredentialCache) { c.Issuer = "two" }
	w.wants(2, 0)
	w.change = func(c *kubeconfig.CredentialCache) { c.Issuer, c.Renew = "two", true }
	w.wants(3, 0)
	w.refuse = errors.New("no")
	if _, err := w.get(); !errors.Is(err, w.refuse) {
		t.Errorf("--renew hands out the old one: %v", err)
	}
	w.change = func(c *kubeconfig.CredentialCache) {
		c.Renew, c.Check = true, func() error { return errors.New("never") }
	}
	if _, err := w.get(); err == nil || err.Error() != "never" {
		t.Errorf("the check says %v", err)
	}
	w.refuse, w.name = nil, "joe"
	w.change = func(c *kubeconfig.CredentialCache) { c.Renew = true }
	if _, err := w.get(); err == nil || !strings.Contains(err.Error(), `not for "jane"`) {
		t.Errorf("another's certificate: %v", err)
	}
	w.name, w.life = "jane", -time.Second
	if _, err := w.get(); err == nil || !strings.Contains(err.Error(), "ended at") {
		t.Errorf("a certificate that has ended: %v", err)
	}
}

// TestCredentialIsMintedOnce: of many at once, one mints.
func TestCredentialIsMintedOnce(t *testing.T) {
	t.Parallel()
	w := newWallet(t)
	var wait sync.WaitGroup
	for range 30 {
		wait.Go(func() {
			if got, err := w.get(); err != nil || got.Certificate.SerialNumber.Int64() != 1 {
				t.Errorf("got %t, %v", got != nil, err)
			}
		})
	}
	wait.Wait()
	if n := w.minted.Load(); n != 1 || len(w.warnings) > 0 {
		t.Errorf("%d were minted; %q", n, w.warnings)
	}
}

// TestUntrustedCache: what may be another's, or was changed, is not handed out.
func TestUntrustedCache(t *testing.T) {
	t.Parallel()
	rewrite := func(change func(string) string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, []byte(change(string(data))), 0o600)
			}
			must(t, err)
		}
	}
	tests := []struct {
		name  string
		spoil func(t *testing.T, path string)
		says  string
	}{
		{"cut off", rewrite(func(s string) string { return s[:len(s)/2] }), "is damaged"},
		{"empty", rewrite(func(string) string { return "" }), "is damaged"},
		{"noise", rewrite(func(string) string { return strings.Repeat("\x00", 300) }), "is damaged"},
		{"endless", rewrite(func(s string) string { return s + strings.Repeat(" ", 1<<20) }), "is larger than"},
		{"another version", rewrite(func(s string) string { return strings.Replace(s, "pkictl.dev/v1", "pkictl.dev/v9", 1) }), "is damaged"},
		{"for another", rewrite(func(s string) string { return strings.Replace(s, `"for":"`, `"for":"0`, 1) }), "is damaged"},
		{"no key", rewrite(func(s string) string { return strings.Replace(s, "PRIVATE KEY", "PUBLIC KEY", 2) }), "is damaged"},
		{"readable by others", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o604)) }, "open to others"},
		{"writable by the group", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o620)) }, "open to others"},
		{"link", func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".target"))
			must(t, os.Symlink(path+".target", path))
		}, "not a plain file"},
		{"link to nothing", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.Symlink("/nowhere/at/all", path))
		}, "not a plain file"},
		{"directory", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.Mkdir(path, 0o700))
		}, "not a plain file"},
	}
	if os.Geteuid() == 0 { // who else can give a file away
		tests = append(tests, tests[0])
		tests[len(tests)-1].name, tests[len(tests)-1].says = "another user's", "is another user's"
		tests[len(tests)-1].spoil = func(t *testing.T, path string) { must(t, os.Chown(path, 65534, 65534)) }
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWallet(t)
			w.wants(1, 0)
			path := w.path(".json")
			test.spoil(t, path)
			w.wants(2, 1)
			if !strings.Contains(w.warnings[0], test.says) || strings.Contains(w.warnings[0], "PRIVATE") {
				t.Errorf("warning %q", w.warnings[0])
			}
			w.wants(2, 0)
			if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 {
				t.Errorf("%v %v", info.Mode(), err)
			}
		})
	}
	t.Run("another key", func(t *testing.T) {
		t.Parallel()
		w, other := newWallet(t), newWallet(t)
		w.wants(1, 0)
		other.wants(1, 0)
		mine, err := os.ReadFile(w.path(".json"))
		must(t, err)
		theirs, err := os.ReadFile(other.path(".json"))
		must(t, err)
		_, key, _ := strings.Cut(string(theirs), `"key":`)
		certificate, _, _ := strings.Cut(string(mine), `"key":`)
		must(t, os.WriteFile(w.path(".json"), []byte(certificate+`"key":`+key), 0o600))
		w.wants(2, 1)
	})
	t.Run("directory open to others", func(t *testing.T) {
		t.Parallel()
		w := newWallet(t)
		must(t, os.Mkdir(w.dir, 0o700))
		must(t, os.Chmod(w.dir, 0o777))
		w.wants(1, 1)
		w.wants(2, 1)
		if got := w.files(); len(got) > 0 {
			t.Errorf("files %v", got)
		}
	})
	t.Run("a file for a directory", func(t *testing.T) {
		t.Parallel()
		w := newWallet(t)
		must(t, os.WriteFile(w.dir, nil, 0o600))
		w.wants(1, 1)
		if !strings.Contains(w.warnings[0], "--cache") {
			t.Errorf("%q", w.warnings)
		}
	})
	t.Run("no directory", func(t *testing.T) {
		t.Parallel()
		w := newWallet(t)
		w.dir = ""
		w.wants(1, 0)
		w.wants(2, 0)
	})
}

// TestPending: what a Mint keeps, the next one finds, and the one after success
// does not.
func TestPending(t *testing.T) {
	t.Parallel()
	w := newWallet(t)
	cache := &kubeconfig.CredentialCache{Dir: w.dir, Now: func() time.Time { return w.now }, Wait: time.Minute, Warn: func(text string) { t.Error(text) }}
	var found []string
	try := func(fail error) {
		_, err := cache.Get(t.Context(), w.want(), func(ctx context.Context, m *kubeconfig.Minting) ([]byte, []byte, error) {
			found = append(found, string(m.Pending()))
			m.KeepPending([]byte("key"))
			certPEM, keyPEM, err := w.mint(ctx, m)
			return certPEM, keyPEM, errors.Join(err, fail)
		})
		if !errors.Is(err, fail) {
			t.Fatal(err)
		}
	}
	interrupted := errors.New("interrupted")
	try(interrupted)
	if info, err := os.Stat(w.path(".pending")); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	// What a killed process leaves while it writes.
	left := filepath.Join(w.dir, "."+filepath.Base(w.path(".pending"))+".ABC")
	must(t, os.WriteFile(left, []byte("half"), 0o600))
	try(interrupted)
	must(t, os.Chmod(w.path(".pending"), 0o644)) // it is not trusted
	try(nil)
	cache.Renew = true
	try(nil)
	if got := strings.Join(found, ","); got != ",key,," {
		t.Errorf("found %q", got)
	}
	if got := w.files(); len(got) != 2 {
		t.Errorf("files %v", got)
	}
}

// TestWaitForAnother: who cannot mint because another does not come to an end
// says so, or takes the old one.
func TestWaitForAnother(t *testing.T) {
	t.Parallel()
	w := newWallet(t)
	began, end := make(chan struct{}), make(chan struct{})
	slow := func(ctx context.Context, m *kubeconfig.Minting) ([]byte, []byte, error) {
		m.KeepPending([]byte("key"))
		close(began)
		<-end
		return w.mint(ctx, m)
	}
	cache := &kubeconfig.CredentialCache{Dir: w.dir, Now: func() time.Time { return w.now }, Wait: time.Minute, Warn: func(text string) { t.Error(text) }}
	done := make(chan error)
	go func() {
		_, err := cache.Get(t.Context(), w.want(), slow)
		done <- err
	}()
	<-began
	w.change = func(c *kubeconfig.CredentialCache) { c.Wait = 50 * time.Millisecond }
	if _, err := w.get(); err == nil || !strings.Contains(err.Error(), "another pkictl waits") || failure.HintOf(err) == "" {
		t.Errorf("waiting: %v", err)
	}
	close(end)
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.wants(1, 0)
}

// TestSweepOthers: what nobody will need goes when another credential is minted.
func TestSweepOthers(t *testing.T) {
	t.Parallel()
	w := newWallet(t)
	w.now = time.Now()
	put := func(name string, age time.Duration) {
		path := filepath.Join(w.dir, name)
		must(t, os.WriteFile(path, []byte("x"), 0o600))
		must(t, os.Chtimes(path, time.Time{}, time.Now().Add(-age)))
	}
	w.wants(1, 0)
	path := filepath.Join(w.dir, w.want().ID()+".json")
	must(t, os.Chtimes(path, time.Time{}, time.Now().Add(-40*24*time.Hour)))
	const day = 24 * time.Hour
	put("aa.memo", 31*day)
	put("aa.pending", 31*day)
	put(".aa.memo.TEMPORARY", 2*time.Hour)
	put("bb.memo", 29*day)
	put("bb.pending", 29*day)
	put("bb.lock", 31*day)
	put("bb.json", 31*day) // not one of ours
	put("notes", 31*day)
	put(".bb.json.TEMPORARY", time.Minute)

	want := []string{".bb.json.TEMPORARY", "bb.json", "bb.lock", "bb.memo", "bb.pending", "notes"}
	old := w.want().ID()
	has := func(more ...string) {
		t.Helper()
		other := w.want().ID()
		more = append(more, other+".json", other+".lock", old+".lock")
		if got, want := w.files(), slices.Compact(slices.Sorted(slices.Values(append(more, want...)))); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("there is %q, want %q", got, want)
		}
	}
	w.life = 2 * time.Hour // another credential
	w.wants(2, 0)
	has(old + ".json") // which still holds
	w.now, w.life = w.now.Add(90*time.Minute), 3*time.Hour
	second := path
	must(t, os.Chtimes(second, time.Time{}, time.Now().Add(-40*day)))
	want = append(want, kubeconfigID(w, 2*time.Hour)+".json", kubeconfigID(w, 2*time.Hour)+".lock")
	want = slices.DeleteFunc(want, func(name string) bool { return name == ".bb.json.TEMPORARY" })
	w.wants(3, 0)
	has()
}

// kubeconfigID is the name in the cache of a credential of that life.
func kubeconfigID(w *wallet, life time.Duration) string {
	want := w.want()
	want.Lifetime = life
	return want.ID()
}

// TestRemember: what was found is found again, as long as the data is the same.
func TestRemember(t *testing.T) {
	t.Parallel()
	cache := &kubeconfig.CredentialCache{Dir: filepath.Join(t.TempDir(), "cache")}
	asked, ca := 0, ""
	wants := func(question, data, found string, n int) {
		t.Helper()
		got, err := cache.Remember(question, []byte(data), func() (string, string, error) {
			asked++
			return data + "!", ca, nil
		})
		if err != nil || got != found || asked != n {
			t.Errorf("%q in %q: %q, %v, asked %d times", question, data, got, err, asked)
		}
	}
	wants("which", "a", "a!", 1)
	wants("which", "a", "a!", 1)
	wants("what", "a", "a!", 2)
	wants("which", "b", "b!", 3)
	wants("which", "b", "b!", 3)
	memos, err := filepath.Glob(filepath.Join(cache.Dir, "*.memo"))
	must(t, err)
	for _, path := range memos {
		must(t, os.Chmod(path, 0o644)) // who knows who has written it
	}
	wants("which", "b", "b!", 4)
	broken := errors.New("broken")
	if _, err := cache.Remember("which", []byte("c"), func() (string, string, error) { return "", "", broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	wants("which", "b", "b!", 4)
	ca = filepath.Join(t.TempDir(), "ca.crt")
	for i, contents := range []string{"one", "two"} { // it follows from a file that the data names
		must(t, os.WriteFile(ca, []byte(contents), 0o600))
		wants("which", "d", "d!", 5+i)
		wants("which", "d", "d!", 5+i)
	}
	cache.Dir = ""
	wants("which", "b", "b!", 7)
	wants("which", "b", "b!", 8)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
