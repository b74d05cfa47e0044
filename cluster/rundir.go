package cluster

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// runDir is where a local run of a cluster directory keeps its things.
//
// Who runs the control plane holds the lock, which the kernel frees however it
// ends, and says in state.json who it is and what it has started. Without a run
// there is no state.json, unless the last one failed or was killed.
type runDir string

func runDirOf(dir string) runDir { return runDir(filepath.Join(dir, "run")) }

func (d runDir) path(name string) string { return filepath.Join(string(d), name) }

// Names in a run directory, beside the logs of the components.
const (
	runLock    = ".lock"
	runState   = "state.json"
	etcdData   = "etcd"
	etcdOf     = "etcd-ca" // the CA that etcd's data is of
	keeperName = "keeper"
	adminConf  = "admin.conf"
	managerCnf = "controller-manager.conf"
)

// Phases of a run.
const (
	phaseStarting = "starting"
	phaseReady    = "ready"
	phaseStopping = "stopping"
	phaseFailed   = "failed"
)

// state is what state.json holds.
type state struct {
	Owner     identity  `json:"owner"` // of the process that holds the lock
	Phase     string    `json:"phase"`
	Since     time.Time `json:"since"`
	Options   UpOptions `json:"options"` // as they were asked for
	Ports     Ports     `json:"ports"`   // in use
	Processes []started `json:"processes,omitempty"`
	Failure   *Failure  `json:"failure,omitempty"`
}

// started is a component that was started.
type started struct {
	Name  string    `json:"name"`
	ID    identity  `json:"id"`
	Port  int       `json:"port"`
	Since time.Time `json:"since"`
}

// identity tells a process from another that gets its number later.
type identity struct {
	PID int `json:"pid"`
	// Began is when it began, in whatever form the system says so; empty where
	// it does not.
	Began string `json:"began,omitempty"`
}

func identify(pid int) identity { return identity{pid, began(pid)} }

// find returns a handle of the process if it is still the same. On Linux it
// refers to that process for ever (pidfd_open(2)), so that a signal sent with it
// meets no other.
func (i identity) find() (*os.Process, bool) {
	if i.PID <= 0 {
		return nil, false
	}
	p, err := os.FindProcess(i.PID)
	if err != nil {
		return nil, false
	}
	if !isAlive(p) || began(i.PID) != i.Began {
		_ = p.Release() // nothing was asked of it
		return nil, false
	}
	return p, true
}

// alive says whether the process still runs.
func (i identity) alive() bool {
	p, found := i.find()
	if found {
		_ = p.Release() // nothing was asked of it
	}
	return found
}

// make makes the directory, which only its owner may look into.
func (d runDir) make() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return diskError(err, "make directory %q", d)
	}
	// Another may have made it for something else, and others look into it. Where
	// a link leads, it is not ours to change.
	if link, err := os.Lstat(string(d)); err == nil && link.Mode()&fs.ModeSymlink != 0 && runtime.GOOS != "windows" {
		if target, err := os.Stat(string(d)); err == nil && target.Mode().Perm()&0o077 != 0 {
			return failure.New(failure.Failed, "make it private, or put a directory in its place", "%q is a link to a directory that others may look into", d)
		}
	}
	return diskError(os.Chmod(string(d), 0o700), "make directory %q private", d) //nolint:gosec // a directory
}

const (
	lockPatience = 2 * time.Second
	lockInterval = 20 * time.Millisecond
)

// errTaken says that another process runs the control plane.
var errTaken = errors.New("it is in use")

// take takes the lock. It tries for a moment: who only looks whether the lock
// is held holds it for as long.
func (d runDir) take(ctx context.Context) (*flock.Flock, error) {
	lock := flock.New(d.path(runLock), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	locked, err := lock.TryLockContext(ctx, lockInterval)
	switch {
	case locked:
		return lock, nil
	case err == nil, errors.Is(err, context.DeadlineExceeded):
		return nil, errTaken
	}
	return nil, diskError(err, "lock directory %q", d)
}

// isHeld says whether a process runs the control plane, or is about to.
func (d runDir) isHeld() (bool, error) {
	if _, err := os.Stat(d.path(runLock)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	lock := flock.New(d.path(runLock), flock.SetPermissions(0o600))
	free, err := lock.TryRLock()
	if err != nil {
		return false, diskError(err, "lock directory %q", d)
	}
	if free {
		_ = lock.Unlock() // the descriptor goes in any case
	}
	return !free, nil
}

// read returns the state, nil where there is none.
func (d runDir) read() (*state, error) {
	path := d.path(runState)
	data, err := store.Read(path, store.MaxPEM)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, failure.New(failure.Failed, "if nothing of it runs any more, remove the file", "%q is damaged", path)
	}
	return &s, nil
}

func (d runDir) write(s state) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return store.ReplaceFile(store.File{Path: d.path(runState), Data: append(data, '\n'), Mode: 0o600})
}

// forget removes the state: nothing is to run.
func (d runDir) forget() error {
	err := os.Remove(d.path(runState))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskError(err, "remove %q", d.path(runState))
	}
	return nil
}

// checkData refuses to continue with the data of another CA: who has access by
// its objects is known by names alone, which anybody may have in the new one.
func (d runDir) checkData(pki string) error {
	known, err := os.ReadFile(d.path(etcdOf))
	if errors.Is(err, fs.ErrNotExist) || !d.hasData() { // noted, and then etcd did not begin
		return nil
	}
	if err != nil {
		return store.ReadError(err, d.path(etcdOf))
	}
	key, err := caKeyID(pki)
	if err != nil || string(known) == key {
		return err
	}
	return failure.New(failure.Failed, "begin anew with: pkictl cluster down --delete-data, or bring that CA back",
		"the data in %q is of a cluster with another CA than %q", d.path(etcdData), filepath.Join(pki, "ca.crt"))
}

// noteData notes whose data it is. It is written before etcd has any.
func (d runDir) noteData(pki string) error {
	key, err := caKeyID(pki)
	if err != nil {
		return err
	}
	return store.ReplaceFile(store.File{Path: d.path(etcdOf), Data: []byte(key), Mode: 0o600})
}

// caKeyID names the key of the cluster's CA: its certificate may be renewed.
func caKeyID(pki string) (string, error) {
	cert, err := ca.ReadCertificate(filepath.Join(pki, "ca.crt"))
	if err != nil {
		return "", err
	}
	sum := keyID(cert.PublicKey)
	return hex.EncodeToString(sum[:]) + "\n", nil
}

// hasData says whether etcd has data of an earlier run.
func (d runDir) hasData() bool {
	_, err := os.Stat(d.path(etcdData))
	return err == nil
}

// diskError says what could not be done to a file or directory.
func diskError(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return failure.Wrap(err, failure.Failed, "check owner, mode and free space of the directory, or choose another with --dir", "cannot "+format, args...)
}
