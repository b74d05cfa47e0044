package kubeconfig

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// What heads a file of the cache.
const (
	entryVersion = "pkictl.dev/v1"
	entryKind    = "CachedCredential"
)

// maxEntry is the largest file of the cache: an RSA-4096 pair with several
// intermediate CAs is a tenth of it.
const maxEntry = 128 << 10

// lockPoll is how often the lock of a slot is tried.
const lockPoll = 5 * time.Millisecond

// cachedEntry is a file of the cache.
type cachedEntry struct {
	APIVersion  string    `json:"apiVersion"`
	Kind        string    `json:"kind"`
	For         string    `json:"for"`              // id of what it was minted for
	Issuer      string    `json:"issuer,omitempty"` // as in CredentialCache
	IssuedAt    time.Time `json:"issuedAt"`
	RenewAt     time.Time `json:"renewAt"`
	RetryAt     time.Time `json:"retryAt,omitzero"` // after a renewal that failed
	Certificate string    `json:"certificate"`
	Key         string    `json:"key"`

	credential *Credential
}

// slot is where the cache keeps one credential: ID.json, what is pending in
// ID.pending, and ID.lock.
type slot struct {
	cache *CredentialCache
	want  Want
	id    string
	dir   string // empty: it is not kept
}

func (c *CredentialCache) slot(w Want) *slot { return &slot{cache: c, want: w, id: w.ID(), dir: c.Dir} }

func (s *slot) path(suffix string) string { return filepath.Join(s.dir, s.id+suffix) }

// errAbsent says that there is nothing in the cache.
var errAbsent = errors.New("there is none")

// read returns the credential in the cache, if it is one that can be trusted.
func (s *slot) read() (*cachedEntry, error) {
	if s.dir == "" {
		return nil, errAbsent
	}
	path := s.path(".json")
	data, err := readOwn(path)
	if err != nil {
		return nil, err
	}
	e := &cachedEntry{}
	if err := json.Unmarshal(data, e); err != nil || e.APIVersion != entryVersion || e.Kind != entryKind {
		return nil, damaged(path)
	}
	if e.credential, err = newCredential([]byte(e.Certificate), []byte(e.Key)); err != nil ||
		e.For != s.id || !s.want.isFor(e.credential.Certificate) {
		return nil, damaged(path)
	}
	return e, nil
}

func damaged(path string) error { return failure.New(failure.Failed, "", "%q is damaged", path) }

// readOwn reads a file that nobody but its owner could read or write, and the
// owner is who runs this process. The error is errAbsent where there is none.
func readOwn(path string) ([]byte, error) {
	bad := func(why string) ([]byte, error) { return nil, failure.New(failure.Failed, "", "%q %s", path, why) }
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errAbsent
	case err != nil:
		return nil, store.ReadError(err, path)
	case !info.Mode().IsRegular():
		return bad("is not a plain file")
	case !isMine(info, 0o077):
		return bad("is another user's, or open to others")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, store.ReadError(err, path)
	}
	defer f.Close()
	// Another file may have taken its place since.
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() || !isMine(info, 0o077) {
		return bad("changed while it was read")
	}
	return store.ReadAll(f, path, maxEntry)
}

// isMine says whether a file belongs to whoever runs this process, and nobody
// else has the rights in mask. Windows keeps the profile of a user to that user,
// and says nothing of it in modes: there it is true.
func isMine(info fs.FileInfo, mask fs.FileMode) bool {
	owner, known := ownerOf(info)
	return !known || owner == os.Geteuid() && info.Mode().Perm()&mask == 0
}

// prepare makes the directory of the cache, or says why it cannot be used.
func (s *slot) prepare() error {
	if s.dir == "" {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return failure.Wrap(diskCause(err), failure.Failed, "name another with --cache", "cannot make the directory %q", s.dir)
	}
	info, err := os.Stat(s.dir)
	if err != nil {
		return store.ReadError(err, s.dir)
	}
	if !isMine(info, 0o022) {
		return failure.New(failure.Failed, "make it private with chmod 700, or name another with --cache",
			"the directory %q is another user's, or others may write to it", s.dir)
	}
	return nil
}

// write replaces the file of the cache, and what a killed process left of one.
func (s *slot) write(e *cachedEntry) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.writeFile(".json", append(data, '\n'))
}

func (s *slot) writeFile(suffix string, data []byte) error {
	if s.dir == "" {
		return nil
	}
	path := s.path(suffix)
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		if err := os.Remove(path); err != nil { // a link, not what it points to
			return failure.Wrap(diskCause(err), failure.Failed, "remove it", "cannot replace %q", path)
		}
	}
	s.sweep()
	return store.WriteFile(path, data, 0o600)
}

const (
	// keepUnfinished is how long what is being written may take.
	keepUnfinished = time.Hour
	// keepUnused is how long a file is kept that nobody has written since: no
	// cluster keeps a request, and hardly a signer gives a certificate, for that long.
	keepUnused = 30 * 24 * time.Hour
)

// sweep removes what killed processes left while they wrote, and files of
// others that are of no use any more. The lock is held, so nobody else writes
// those of this slot; the empty locks of others stay.
func (s *slot) sweep() {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return // it only clears away
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		name, age := e.Name(), s.cache.Now().Sub(info.ModTime())
		unfinished := strings.HasPrefix(name, ".")
		switch {
		case unfinished && (strings.HasPrefix(name, "."+s.id+".") || age > keepUnfinished):
		case !unfinished && age > keepUnused && !strings.HasPrefix(name, s.id+".") && s.isUnused(name):
		default:
			continue
		}
		_ = os.Remove(filepath.Join(s.dir, name)) // likewise
	}
}

// isUnused says whether an old file is of no use: a note, a key that no
// certificate came for, or a credential that has ended.
func (s *slot) isUnused(name string) bool {
	switch id, suffix, _ := strings.Cut(name, "."); suffix {
	case "memo", "pending":
		return true
	case "json":
		data, err := readOwn(filepath.Join(s.dir, name))
		var e cachedEntry
		if err != nil || json.Unmarshal(data, &e) != nil || e.Kind != entryKind || e.For != id {
			return false // not ours to judge
		}
		credential, err := newCredential([]byte(e.Certificate), []byte(e.Key))
		return err == nil && s.cache.Now().After(credential.Certificate.NotAfter)
	}
	return false
}

// lock keeps other processes from minting the same credential until unlock is
// called, or the process ends, however it ends.
func (s *slot) lock(ctx context.Context) (unlock func(), err error) {
	if s.dir == "" {
		return func() {}, nil
	}
	lock := flock.New(s.path(".lock"), flock.SetPermissions(0o600))
	_, err = lock.TryLockContext(ctx, lockPoll)
	switch {
	case err == nil:
		return func() { _ = lock.Unlock() }, nil // the end of the process unlocks it, too
	case errors.Is(err, context.DeadlineExceeded):
		return nil, s.busy()
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	s.cache.warnOf(diskCause(err), "the credential is not kept: cannot lock it in the cache")
	s.dir = ""
	return func() {}, nil
}

// busy says for whom this process has waited.
func (s *slot) busy() error {
	if m := (&Minting{slot: s}); len(m.Pending()) > 0 {
		return failure.New(failure.Failed, "see which with: kubectl get csr",
			"another pkictl waits for the certificate request of %q", s.want.CommonName)
	}
	return failure.New(failure.Failed, "try again in a minute", "another pkictl is making a credential of %q, and is not done", s.want.CommonName)
}

// Minting is what a Mint is given.
type Minting struct {
	// Held is the credential that is to be replaced, if it still holds.
	Held *Credential

	slot *slot
}

// Pending returns what was kept by a Mint before this one that did not come to
// its end. It is nil where there is none, or it cannot be trusted.
func (m *Minting) Pending() []byte {
	if m.slot.dir == "" {
		return nil
	}
	data, err := readOwn(m.slot.path(".pending"))
	if err != nil {
		return nil
	}
	return data
}

// KeepPending keeps data, such as a key that a request is on its way for, for
// the next Mint of this credential. It is in a file of mode 0600.
func (m *Minting) KeepPending(data []byte) {
	if err := m.slot.writeFile(".pending", data); err != nil {
		m.slot.cache.warnOf(err, "what is under way would not be found again")
	}
}

// DropPending forgets what KeepPending kept.
func (m *Minting) DropPending() {
	if m.slot.dir != "" {
		_ = os.Remove(m.slot.path(".pending")) // most often there is none
	}
}

// diskCause is what the system said, without the path, which is in the error's own
// text.
func diskCause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
