package lab

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/store"
)

// makeNode makes the lab's node and what it begins with, and runs it. When it fails
// nothing runs.
func (w *Workspace) makeNode(ctx context.Context, m *mark, now time.Time, progress func(string, bool)) error {
	kubernetes := filepath.Join(w.Dir, filepath.FromSlash(nodeKubernetes))
	if err := w.makePKI(ctx, kubernetes, now); err != nil {
		return err
	}
	_ = os.Remove(filepath.Join(kubernetes, cluster.SettingsFile)) // kubeadm leaves none
	ports, err := cluster.FreePorts(3)
	if err != nil {
		return err
	}
	m.Port = ports[0]
	for name, text := range map[string]string{
		"etcd.yaml": etcdManifest(ports[1], ports[2]), "kube-apiserver.yaml": apiServerManifest(ports[0], ports[1]),
	} {
		if err := w.writePrivate(nodeManifests+"/"+name, []byte(text)); err != nil {
			return err
		}
	}
	if err := w.writeNodeConfigs(m); err != nil {
		return err
	}
	return w.launchNode(ctx, progress, func(ctx context.Context, admin *kubeclient.Client) error {
		if err := bindAdmins(ctx, admin); err != nil {
			return err
		}
		if err := w.Lab.cluster.makeObjects(ctx, admin); err != nil {
			return err
		}
		return w.issueAll(now)
	})
}

// writeNodeConfigs writes the kubeconfigs of learner and grader that are not there: the
// learner may have changed theirs, or what they are made of.
func (w *Workspace) writeNodeConfigs(m *mark) error {
	for from, to := range map[string]string{adminFile: adminFile, "super-admin.conf": clusterFile(graderFile)} {
		if _, err := os.Lstat(filepath.Join(w.Dir, filepath.FromSlash(to))); err == nil {
			continue
		}
		if err := w.writeLocal(filepath.Join(w.Dir, filepath.FromSlash(nodeKubernetes), from), to, apiServerURL(m.Port)); err != nil {
			return err
		}
	}
	return nil
}

// launchNode runs the node in the background until stopNode. What begin does with the
// API server when it is ready belongs to the start: if it fails, or this process is
// killed before, the node ends.
func (w *Workspace) launchNode(ctx context.Context, progress func(string, bool), begin func(context.Context, *kubeclient.Client) error) (err error) {
	step := func(text string, done bool) {
		if progress != nil {
			progress(text, done)
		}
	}
	step("starting the node", false)
	run := filepath.Join(w.clusterPath(), runDir)
	if err := os.MkdirAll(run, 0o700); err != nil {
		return failure.Wrap(store.Cause(err), failure.Failed, "", "cannot make directory %q", run)
	}
	o := NodeOptions{Dir: w.Dir, Token: rand.Text(), Assets: w.machine.Assets}
	if err := store.ReplaceFile(store.File{Path: filepath.Join(run, nodeToken), Data: []byte(o.Token), Mode: 0o600}); err != nil {
		return err
	}
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(run, "node.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return store.ReadError(err, run)
	}
	defer func() { _ = log.Close() }() // the node has its own descriptor
	cmd := exec.Command(w.machine.Program, "lab", "node", "--dir", w.Dir)
	cmd.Dir, cmd.Stderr = w.root, log
	cluster.Detach(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return failure.Wrap(err, failure.Failed, "", "cannot start the process that is to be the node")
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // why it ended is in its log
		close(ended)
	}()
	defer func() {
		if err != nil {
			_ = in.Close() // which ends it
			<-ended
		}
	}()
	if _, err := in.Write(append(line, '\n')); err != nil {
		return failure.New(failure.Failed, "see "+log.Name(), "the process that is to be the node has ended")
	}
	if err := w.awaitNode(ctx, ended, step, begin); err != nil {
		return err
	}
	if _, err := io.WriteString(in, "stay\n"); err != nil {
		return failure.New(failure.Failed, "see "+log.Name(), "the process that is to be the node has ended")
	}
	_ = in.Close() // it stays
	return nil
}

// nodeStart bounds how long the API server of a node may take to come up, nodeResume
// how long that of one is waited for that the learner has worked on.
const (
	nodeStart  = 3 * time.Minute
	nodeResume = 10 * time.Second
)

func (w *Workspace) awaitNode(ctx context.Context, ended <-chan struct{}, step func(string, bool), begin func(context.Context, *kubeclient.Client) error) error {
	admin, err := kubeclient.Connect(kubeclient.Options{File: filepath.Join(w.clusterPath(), graderFile), Agent: agent})
	if err != nil {
		return err
	}
	limit := nodeStart
	if begin == nil {
		limit = nodeResume
	}
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	step("waiting for the API server of the node", false)
	for {
		// The roles are made when it is ready for the first time.
		if code, err := admin.Status(timed, "/readyz"); err == nil && code == 200 {
			if begin != nil {
				if err := begin(timed, admin); err != nil {
					return err
				}
			}
			step("the node is ready", true)
			return nil
		}
		select {
		case <-ended:
			return failure.New(failure.Failed, "see "+filepath.Join(w.clusterPath(), runDir, "node.log"), "the node of lab %q has ended", w.Lab.ID)
		case <-ctx.Done():
			return ctx.Err()
		case <-timed.Done():
			if ctx.Err() != nil { // which ends timed, too: select takes either
				return ctx.Err()
			}
			return w.notUp(begin != nil, step)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// notUp is the error for an API server that does not come up. Where the learner works
// on its manifest already it is none: that is what the lab is about.
func (w *Workspace) notUp(isNew bool, step func(string, bool)) error {
	if !isNew {
		step("the node runs; its API server does not answer, see "+nodeJournal, true)
		return nil
	}
	logs, _ := filepath.Glob(filepath.Join(w.Dir, filepath.FromSlash(nodePodLogs), "*", cluster.ComponentAPIServer, "*.log"))
	last := ""
	if len(logs) > 0 {
		last = logs[len(logs)-1]
	}
	return &cluster.ComponentError{
		Component: cluster.ComponentAPIServer, Err: errors.New("is not ready"), Log: last, Tail: staticpod.Tail(last),
	}
}

// resumeNode runs the node if it does not run. Its API server may be down: the learner
// may have left it so.
func (w *Workspace) resumeNode(ctx context.Context, m *mark, progress func(string, bool)) error {
	if runs, err := w.nodeRuns(); err != nil || runs {
		return err
	}
	if err := w.writeNodeConfigs(m); err != nil {
		return err
	}
	if err := w.awaitPort(ctx, m.Port); err != nil {
		return err
	}
	return w.launchNode(ctx, progress, nil)
}

// portTime is how long what has just been killed may take to give its port back.
const portTime = time.Second

// awaitPort returns when the port of the API server, which kubeconfigs name, can be had.
// A cluster that is made anew has none yet.
func (w *Workspace) awaitPort(ctx context.Context, port int) error {
	if port == 0 {
		return nil
	}
	timed, cancel := context.WithTimeout(ctx, portTime)
	defer cancel()
	for {
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return l.Close()
		}
		if wait(timed) == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var system *os.SyscallError
		if errors.As(err, &system) {
			err = system.Err
		}
		return failure.Wrap(err, failure.Failed, portHint, "the cluster of lab %q cannot be started: port %d on 127.0.0.1, meant for %s, cannot be used", w.Lab.ID, port, cluster.ComponentAPIServer)
	}
}

// nodeRuns says whether a process is the node.
func (w *Workspace) nodeRuns() (bool, error) {
	file := filepath.Join(w.clusterPath(), runDir, nodeLock)
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() { // the opening of a pipe would wait
		return false, nil
	}
	lock := flock.New(file, flock.SetPermissions(0o600))
	free, err := lock.TryRLock()
	if err != nil {
		return false, failure.Wrap(store.Cause(err), failure.Failed, "", "cannot lock %q", file)
	}
	if free {
		_ = lock.Unlock() // the descriptor goes in any case
	}
	return !free, nil
}

// stopTime is how long a node may take to end: it gives each pod podGrace.
const stopTime = 30 * time.Second

// stopNode ends the node, and returns when it is gone.
func (w *Workspace) stopNode(ctx context.Context) error {
	token := filepath.Join(w.clusterPath(), runDir, nodeToken)
	if err := os.Remove(token); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failure.Wrap(store.Cause(err), failure.Failed, "", "cannot remove %q", token)
	}
	timed, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	for {
		runs, err := w.nodeRuns()
		if err != nil || !runs {
			return err
		}
		if wait(timed) != nil {
			return failure.New(failure.Failed, "try again", "the node of lab %q does not end", w.Lab.ID)
		}
	}
}

// bindAdmins makes kubeadm's binding of the administrators.
func bindAdmins(ctx context.Context, admin *kubeclient.Client) error {
	const binding = `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"kubeadm:cluster-admins"},` +
		`"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},` +
		`"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"kubeadm:cluster-admins"}]}`
	return admin.CreateJSON(ctx, kubeclient.ClusterRoleBindings, []byte(binding))
}

// isNodeFile says whether the name of a file below the workspace is one that pkictl
// writes where a lab has a node. To some systems capital letters are the small ones.
func isNodeFile(name string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(path.Clean(name)), nodeKubernetes+"/")
	return ok && (strings.HasPrefix(rest, "manifests/") || strings.HasPrefix(rest, "pki/") || slices.Contains([]string{
		"admin.conf", "super-admin.conf", "kubelet.conf", "controller-manager.conf", "scheduler.conf",
	}, rest))
}
