package lab

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/store"
)

// clusterDir below a workspace is the cluster directory of the lab's own cluster, see
// package cluster.
const clusterDir = "cluster"

// runDir below it is where a running cluster keeps data and logs, which change by
// themselves.
const runDir = "run"

// Kubeconfigs of a lab's cluster: the learner's, below the workspace, and the
// grader's, below the cluster directory, of which no task speaks.
const (
	adminFile  = "admin.conf"
	graderFile = "grader.conf"
)

// Enter is the command by which a shell goes to a workspace of the lab, and where the
// lab has a cluster has kubectl reach it.
func (l *Lab) Enter(dir string) string {
	line := "cd " + shell.Quote(dir)
	if l.cluster != nil {
		line += " && export KUBECONFIG=$PWD/" + adminFile
	}
	return line
}

// Kubeconfig is the learner's kubeconfig of the lab's cluster, empty for a lab without.
func (w *Workspace) Kubeconfig() string {
	if w.Lab.cluster == nil {
		return ""
	}
	return filepath.Join(w.Dir, adminFile)
}

// locksDir below the root has a lock for each lab with a cluster: to start one takes
// seconds, for which nothing else is to wait.
const locksDir = ".clusters"

// ownCluster is the cluster that a lab has, as its lab.yaml says.
type ownCluster struct {
	objects []document // made when the lab starts, in this order
	issue   []issue
	// staticPods has the cluster run as static pods of a node.
	staticPods bool
	expiring   []expiring
}

// isOwnName says whether the name of a file below the workspace is one that pkictl
// writes where a lab has a cluster.
func isOwnName(name string) bool {
	name = strings.ToLower(name) // to some systems capital letters are the small ones
	return name == adminFile || name == clusterDir || len(name) > len(clusterDir) && name[:len(clusterDir)+1] == clusterDir+"/"
}

// alone runs a change of the workspace while no other process changes it.
func (w *Workspace) alone(ctx context.Context, change func() error) error {
	if w.Lab.cluster == nil {
		return locked(ctx, w.root, change)
	}
	return locked(ctx, filepath.Join(w.root, locksDir, w.Lab.ID), change)
}

func (w *Workspace) clusterPath() string { return filepath.Join(w.Dir, clusterDir) }

// hasCluster says whether the cluster directory is there: one of our own making, and
// no link to another.
func (w *Workspace) hasCluster() bool {
	info, err := os.Lstat(w.clusterPath())
	if err != nil || !info.IsDir() {
		return false
	}
	info, err = os.Lstat(filepath.Join(w.clusterPath(), runDir))
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir()
}

// makeCluster makes the lab's cluster, and what it begins with. When it fails nothing
// runs.
func (w *Workspace) makeCluster(ctx context.Context, m *mark, now time.Time, progress func(string, bool)) (err error) {
	own := w.Lab.cluster
	if own == nil {
		return nil
	}
	if own.staticPods {
		return w.makeNode(ctx, m, now, progress)
	}
	if err := w.makePKI(ctx, w.clusterPath(), now); err != nil {
		return err
	}
	if len(own.expiring) > 0 {
		if err := own.expire(ctx, w.clusterPath(), now); err != nil {
			return err
		}
		if err := noteBaseline(w.clusterPath()); err != nil {
			return err
		}
	}
	if err := w.launch(ctx, m, now, progress); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, down := cluster.Down(context.WithoutCancel(ctx), cluster.DownOptions{Dir: w.clusterPath()})
			err = errors.Join(err, down)
		}
	}()
	return w.fillCluster(ctx, now)
}

// makePKI makes that of a cluster of one node. The API server is known by its name on
// this machine, too, so that a kubeconfig needs no tls-server-name.
func (w *Workspace) makePKI(ctx context.Context, dir string, now time.Time) error {
	result, err := cluster.Init(ctx, cluster.InitOptions{
		Dir: dir, Now: now,
		Settings: cluster.Settings{
			Nodes: []cluster.NodeSettings{{Name: "cp-1", Address: "10.0.0.10"}},
			SANs:  []string{"127.0.0.1", "localhost"},
		},
	})
	if err == nil && len(result.Differences) > 0 {
		err = failure.New(failure.Failed, "reset the lab", "%q holds what is none of this lab's", dir)
	}
	return err
}

// launch runs the cluster in the background, at the port that it had before.
func (w *Workspace) launch(ctx context.Context, m *mark, now time.Time, progress func(string, bool)) error {
	dir := w.clusterPath()
	o := cluster.UpOptions{
		Dir: dir, Ports: cluster.Ports{APIServer: m.Port}, Assets: w.machine.Assets,
		ExtraArgs:     map[string][]string{cluster.ComponentControllerManager: append(hurry(), keepRequests)},
		UnsafeNoFsync: true, Agent: agent, Now: now, Progress: progress,
	}
	for {
		status, err := cluster.Existing(ctx, o, false)
		if status != nil && err == nil {
			return w.notePort(m, status)
		}
		if err != nil {
			return err
		}
		if err := w.awaitPort(ctx, m.Port); err != nil {
			return err
		}
		keeper := exec.Command(w.machine.Program, "cluster", "keep", "--dir", dir)
		keeper.Dir = w.root // one in the workspace would keep a learner from moving it away
		err = cluster.Launch(ctx, keeper, o)
		var running *cluster.RunningError
		if err != nil && !errors.As(err, &running) {
			return failure.Wrap(err, failure.KindOf(err), failure.HintOf(err), "the cluster of lab %q cannot be started", w.Lab.ID)
		}
	}
}

const agent = "pkictl-lab"

// portHint says what to do where something else has the port of the API server, which
// the learner's kubeconfigs name: a lab has no flag for another.
const portHint = "end what has it; or reset the lab: it begins anew then, at another port"

// hurry has kube-controller-manager begin at once. It starts its controllers one after
// the other, each of them with some requests, of which it makes 20 in a second unless
// it is told otherwise.
func hurry() []string { return []string{"--kube-api-qps=1000", "--kube-api-burst=1000"} }

// keepRequests has it not delete certificate signing requests an hour after they were
// signed: labs ask for them.
const keepRequests = "--controllers=*,bootstrapsigner,tokencleaner,-certificatesigningrequest-cleaner-controller"

// notePort notes where the API server is: kubeconfigs that the learner makes name it.
func (w *Workspace) notePort(m *mark, status *cluster.Status) error {
	if status.State != cluster.RunReady {
		return failure.New(failure.Failed, "see: pkictl cluster status --dir "+w.clusterPath(), "the cluster of lab %q runs, but is not ready", w.Lab.ID)
	}
	for _, c := range status.Components {
		if c.Name == cluster.ComponentAPIServer {
			m.Port = c.Port
		}
	}
	return nil
}

// resumeCluster runs the cluster of a workspace that is there, if it does not run.
func (w *Workspace) resumeCluster(ctx context.Context, m *mark, now time.Time, progress func(string, bool)) error {
	if w.Lab.cluster == nil {
		return nil
	}
	if !w.hasCluster() {
		return failure.New(failure.Failed, "reset the lab: it begins anew then", "%q is gone, or no directory any more", w.clusterPath())
	}
	if w.Lab.cluster.staticPods {
		return w.resumeNode(ctx, m, progress)
	}
	if err := w.launch(ctx, m, now, progress); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(w.Dir, adminFile)); errors.Is(err, fs.ErrNotExist) {
		return w.writeAdmin()
	}
	return nil
}

// removeCluster ends the lab's cluster, and deletes it with its data. Links are not
// followed.
func (w *Workspace) removeCluster(ctx context.Context) error {
	if w.Lab.cluster == nil {
		return nil
	}
	if err := w.endCluster(ctx); err != nil {
		return err
	}
	root, err := w.open()
	if err != nil {
		return err
	}
	defer root.Close()
	if w.Lab.cluster.staticPods {
		_ = root.RemoveAll(path.Join(nodeDir, "var", "lib", "etcd")) // or it is moved away
	}
	if info, err := root.Lstat(clusterDir); err != nil || !info.IsDir() {
		return nil // nothing of ours
	}
	if err := root.RemoveAll(clusterDir); err != nil {
		return failure.Wrap(store.Cause(err), failure.Failed, "make it writable, or remove it yourself", "cannot remove %q", w.clusterPath())
	}
	return nil
}

func (w *Workspace) endCluster(ctx context.Context) error {
	if !w.hasCluster() {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(w.clusterPath(), runDir)); errors.Is(err, fs.ErrNotExist) {
		return nil // it was never started
	}
	if w.Lab.cluster.staticPods {
		return w.stopNode(ctx)
	}
	_, err := cluster.Down(ctx, cluster.DownOptions{Dir: w.clusterPath()})
	return err
}

// Stop ends what runs for the lab, its cluster, and leaves all work as it is: Start
// goes on with it. Where nothing runs it does nothing.
func (w *Workspace) Stop(ctx context.Context) error {
	if w.Lab.cluster == nil {
		return nil
	}
	return w.alone(ctx, func() error { return w.endCluster(ctx) })
}

// Up runs what runs for the lab, its cluster, if it does not run: after a reboot, say.
func (w *Workspace) Up(ctx context.Context, now time.Time, progress func(step string, done bool)) error {
	if w.Lab.cluster == nil {
		return nil
	}
	return w.alone(ctx, func() error {
		m, err := w.mark()
		if err != nil {
			return err
		}
		return w.resumeCluster(ctx, m, now, progress)
	})
}

// ErrClusterDown says that the cluster of a lab does not run; Up and Start start it.
var ErrClusterDown = errors.New("its cluster does not run")

// runs is the error for a lab whose cluster does not run: there is nothing that could
// be graded.
func (w *Workspace) runs(ctx context.Context) error {
	if w.Lab.cluster == nil {
		return nil
	}
	state := cluster.RunStopped
	if w.Lab.cluster.staticPods && w.hasCluster() {
		runs, err := w.nodeRuns()
		if err != nil {
			return err
		}
		if runs {
			state = cluster.RunReady // whether its API server is up is for the checks
		}
	} else if w.hasCluster() {
		status, err := cluster.ReadStatus(ctx, w.clusterPath())
		if err != nil {
			return err
		}
		state = status.State
	}
	switch state {
	case cluster.RunReady, cluster.RunDegraded:
		return nil
	case cluster.RunStarting, cluster.RunStopping:
		return failure.New(failure.Failed, "wait a moment, and try again", "the cluster of lab %q is %s", w.Lab.ID, state)
	default:
		return failure.Wrap(ErrClusterDown, failure.Failed, "start the lab again: it goes on with all that was done", "cannot grade lab %q", w.Lab.ID)
	}
}

// isRunDir says whether a path is one where a running cluster writes.
func (w *Workspace) isRunDir(path string) bool {
	return w.Lab.cluster != nil && (path == filepath.Join(w.clusterPath(), runDir) ||
		w.Lab.cluster.staticPods && path == filepath.Join(w.Dir, nodeDir, "var"))
}

// clusterFile names a file of the cluster directory, below the workspace.
func clusterFile(name string) string { return path.Join(clusterDir, name) }

// writePrivate writes a file with a key below the workspace, which nobody else reads.
func (w *Workspace) writePrivate(name string, data []byte) error {
	file := filepath.Join(w.Dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return failure.Wrap(store.Cause(err), failure.Failed, "", "cannot make directory %q", filepath.Dir(file))
	}
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return store.ReplaceFile(store.File{Path: file, Data: data, Mode: 0o600})
}
