package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// markFile in a workspace says that it is one.
const markFile = ".pkictl-lab.json"

const kindWorkspace = "LabWorkspace"

// mark is what stands in markFile.
type mark struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Lab        string    `json:"lab"`
	From       string    `json:"from,omitempty"` // the directory of a lab of somebody's own
	StartedAt  time.Time `json:"startedAt"`
	// Unfinished says that its files are not all there yet: whoever finds it so
	// begins it anew.
	Unfinished bool `json:"unfinished,omitempty"`
	// Port is that of the API server of the lab's cluster.
	Port int `json:"port,omitempty"`
}

// Workspace is a directory in which a learner works on a lab. Its methods do not
// change it: after a Reset, open it again.
type Workspace struct {
	Lab       *Lab
	Dir       string
	StartedAt time.Time
	// Resumed says that Start has found it, and left it as it was.
	Resumed bool

	machine *Machine
	root    string // of all workspaces
}

// StartOptions say which lab is to be started, and where.
type StartOptions struct {
	ID   string // of a lab of the catalogue
	Lab  *Lab   // or one that was read with Read
	Root string // the directory of all workspaces, such as ~/pkictl-labs
	Now  time.Time
	// Machine is what the machine has; a lab that needs more is refused.
	Machine *Machine
	// Progress is told what begins, and with done what has ended. It may be nil.
	Progress func(step string, done bool)
}

// Start makes the workspace of a lab, ROOT/ID, with the files that it begins with, and
// runs the cluster that the lab has. One that is there is resumed as it is; its
// cluster is started if it does not run. What is there and is no workspace of that lab
// is refused. A Start that fails leaves nothing running that it has started.
func Start(ctx context.Context, o StartOptions) (*Workspace, error) {
	lab := o.Lab
	if lab == nil {
		var err error
		if lab, err = Named(o.ID); err != nil {
			return nil, err
		}
	}
	root, err := absolute(o.Root)
	if err != nil {
		return nil, err
	}
	if err := o.Machine.lacks(lab); err != nil {
		return nil, err
	}
	w := &Workspace{Lab: lab, Dir: filepath.Join(root, lab.ID), machine: o.Machine, root: root}
	if err := w.alone(ctx, func() error { return w.start(ctx, o) }); err != nil {
		return nil, err
	}
	return w, nil
}

// absolute returns the root of all workspaces so that it is found from anywhere.
func absolute(root string) (string, error) {
	if root == "" {
		return "", failure.New(failure.Usage, "name one, such as ~/pkictl-labs", "there is no directory for the labs")
	}
	return filepath.Abs(root)
}

// start makes the workspace, or completes it. It is locked.
func (w *Workspace) start(ctx context.Context, o StartOptions) error {
	err := os.Mkdir(w.Dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return failure.Wrap(store.Cause(err), failure.Failed, "choose another place for the labs", "cannot make directory %q", w.Dir)
	}
	store.DropUnfinished(filepath.Join(w.Dir, markFile))
	m, err := w.mark()
	switch {
	case errors.Is(err, errNoMark) && isEmpty(w.Dir): // made just now, or left so by a kill
		m = &mark{Lab: w.Lab.ID, From: w.Lab.from, StartedAt: o.Now, Unfinished: true}
	case err != nil:
		return err
	}
	w.StartedAt, w.Resumed = m.StartedAt, !m.Unfinished
	if w.Resumed {
		return w.resumeCluster(ctx, m, o.Now, o.Progress)
	}
	_, err = w.begin(ctx, m, o.Now, o.Progress)
	return err
}

func isEmpty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == 0
}

// OpenWorkspace opens the workspace of a lab below a root, as Start has made it. It
// only reads.
func OpenWorkspace(root string, lab *Lab, machine *Machine) (*Workspace, error) {
	w, m, err := openMarked(root, lab, machine)
	if err != nil {
		return nil, err
	}
	if m.Unfinished {
		return nil, failure.Wrap(ErrUnfinished, failure.Failed, "start the lab again", "cannot go on in %q", w.Dir)
	}
	w.StartedAt = m.StartedAt
	return w, nil
}

func openMarked(root string, lab *Lab, machine *Machine) (*Workspace, *mark, error) {
	root, err := absolute(root)
	if err != nil {
		return nil, nil, err
	}
	w := &Workspace{Lab: lab, Dir: filepath.Join(root, lab.ID), Resumed: true, machine: machine, root: root}
	m, err := w.mark()
	return w, m, err
}

// StopLab ends what runs for a lab in its workspace below a root, as Stop does; also of
// one that was never completed, and whose cluster may run all the same. It returns
// where the workspace is.
func StopLab(ctx context.Context, root string, lab *Lab) (dir string, err error) {
	w, _, err := openMarked(root, lab, nil)
	if err != nil {
		return "", err
	}
	return w.Dir, w.Stop(ctx)
}

// ErrUnfinished says that the start or the reset of a lab was killed: Start begins anew.
var ErrUnfinished = errors.New("the workspace was never completed")

// errNoMark says that there is no mark: the directory is not ours.
var errNoMark = errors.New("no workspace of a lab")

// mark reads the workspace's mark. A workspace is a directory, never a link to one:
// nothing outside of the root is ever changed.
func (w *Workspace) mark() (*mark, error) {
	info, err := os.Lstat(w.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, failure.Wrap(err, failure.Failed, "start the lab first", "lab %q has no workspace in %q", w.Lab.ID, w.root)
	}
	if err != nil {
		return nil, store.ReadError(err, w.Dir)
	}
	if !info.IsDir() {
		return nil, failure.New(failure.Refused, "move it away", "%q is no directory", w.Dir)
	}
	root, err := w.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	data, err := readPlain(root, markFile, maxMark)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, failure.Wrap(errNoMark, failure.Refused, "move it away, or choose another place for the labs", "%q is there already", w.Dir)
	}
	if err != nil {
		return nil, failure.New(failure.Failed, "move it away, and start the lab again", "%q %v", filepath.Join(w.Dir, markFile), err)
	}
	m, ok := parseMark(data)
	switch {
	case !ok || m.Lab != w.Lab.ID:
		return nil, failure.New(failure.Refused, "move it away, or choose another place for the labs", "%q is not the workspace of lab %q", w.Dir, w.Lab.ID)
	case m.From != w.Lab.from:
		return nil, failure.New(failure.Refused, "move it away, or choose another place for the labs",
			"%q is the workspace of another lab %q, %s", w.Dir, w.Lab.ID, m.origin())
	}
	return m, nil
}

// parseMark reads a mark of any lab.
func parseMark(data []byte) (m *mark, ok bool) {
	err := json.Unmarshal(data, &m)
	return m, err == nil && m != nil && m.APIVersion == apiVersion && m.Kind == kindWorkspace
}

// origin says where the lab of a mark is from.
func (m *mark) origin() string {
	if m.From == "" {
		return "that of the catalogue"
	}
	return fmt.Sprintf("that in %q", m.From)
}

const maxMark = 64 << 10

// open opens the workspace through the root of all, so that it is no link elsewhere.
func (w *Workspace) open() (*os.Root, error) {
	above, err := os.OpenRoot(w.root)
	if err != nil {
		return nil, store.ReadError(err, w.root)
	}
	defer above.Close()
	root, err := above.OpenRoot(w.Lab.ID)
	if err != nil {
		return nil, store.ReadError(err, w.Dir)
	}
	return root, nil
}

func (w *Workspace) writeMark(m *mark) error {
	m.APIVersion, m.Kind = apiVersion, kindWorkspace
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return store.ReplaceFile(store.File{Path: filepath.Join(w.Dir, markFile), Data: append(data, '\n'), Mode: 0o600})
}

// begin writes the files that the lab begins with, and runs its cluster. What was in
// the workspace is moved away before, so that no link in it is followed; an old cluster
// is ended and thrown away. A kill leaves a mark that has Start begin again.
func (w *Workspace) begin(ctx context.Context, m *mark, now time.Time, progress func(string, bool)) (movedTo string, err error) {
	m.Unfinished, m.Port = true, 0
	if err := w.writeMark(m); err != nil {
		return "", err
	}
	if err := w.removeCluster(ctx); err != nil {
		return "", err
	}
	if movedTo, err = w.moveAway(); err != nil {
		return "", err
	}
	if err := w.writeGiven(); err != nil {
		return movedTo, err
	}
	if err := w.makeCluster(ctx, m, now, progress); err != nil {
		return movedTo, err
	}
	m.Unfinished = false
	return movedTo, w.writeMark(m)
}

func (w *Workspace) writeGiven() error {
	given, err := w.Lab.givenFiles()
	if err != nil {
		return err
	}
	var dirs []string
	files := map[string][]store.File{}
	for _, g := range given {
		dir := filepath.Join(w.Dir, filepath.FromSlash(path.Dir(g.name)))
		if files[dir] == nil {
			dirs = append(dirs, dir)
		}
		files[dir] = append(files[dir], store.File{Path: filepath.Join(w.Dir, filepath.FromSlash(g.name)), Data: g.data, Mode: g.mode()})
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return failure.Wrap(store.Cause(err), failure.Failed, "", "cannot make directory %q", dir)
		}
		if err := store.WriteFiles(dir, files[dir]); err != nil {
			return err
		}
	}
	return nil
}

// Check grades what is in the workspace. It only reads: it runs nothing, follows no
// link out of the workspace, waits for no pipe, and reads no file beyond a limit.
// That something is missing or wrong is no error, but a check that has not passed. It
// is one that the lab's cluster does not run.
func (w *Workspace) Check(ctx context.Context, now time.Time) (*Result, error) {
	if _, err := w.mark(); err != nil {
		return nil, err
	}
	if err := w.machine.lacks(w.Lab); err != nil {
		return nil, err
	}
	if err := w.runs(ctx); err != nil {
		return nil, err
	}
	root, err := w.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return w.Lab.grade(ctx, &work{learner: newLearner(root), lab: w.Lab, now: now, machine: w.machine})
}
