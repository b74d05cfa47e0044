package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// A node stands in for a machine of a control plane with its kubelet, as far as a lab
// about static pods needs it: it runs the containers of the manifests below
// node/etc/kubernetes/manifests in the workspace as plain processes, which see of the
// node what their manifests mount.

// nodeDir below a workspace is the root of the node's file system.
const nodeDir = "node"

// Paths on the node, with slashes.
const (
	nodeKubernetes = nodeDir + "/etc/kubernetes"
	nodeManifests  = nodeKubernetes + "/manifests"
	nodeJournal    = nodeDir + "/var/log/kubelet.log"
	nodePodLogs    = nodeDir + "/var/log/pods"
)

// Files of the node's own, below the cluster's run directory.
const (
	nodeLock  = "node.lock"  // held by the process that is the node
	nodeToken = "node.token" // which ends when this says another thing, or is gone
	nodeState = "node.json"
)

// nodeInterval is how often the node looks at its manifests.
const nodeInterval = 100 * time.Millisecond

// NodeOptions is what RunNode is told on its standard input, in a line of JSON.
type NodeOptions struct {
	Dir    string         `json:"dir"` // the workspace
	Token  string         `json:"token"`
	Assets cluster.Assets `json:"assets"`
}

// node is a node that runs.
type node struct {
	NodeOptions
	root    *os.Root // the workspace
	journal *os.File
	pods    map[string]*nodePod // by the names of their manifests
	said    map[string]string   // what the journal says of a file that is no pod
	state   nodeReport
}

// nodeReport is what the node tells graders: which manifests it acts on.
type nodeReport struct {
	Pods map[string]podReport `json:"pods"`
}

// podReport is how the pod of a manifest is.
type podReport struct {
	Manifest string    `json:"manifest"` // a hash of the file
	Name     string    `json:"name,omitempty"`
	Since    time.Time `json:"since,omitzero"` // the last start
	Ends     int       `json:"ends,omitempty"` // how often it has ended since the manifest changed
	Problem  string    `json:"problem,omitempty"`
	Log      string    `json:"log,omitempty"` // below the workspace
}

// RunNode is the node: it runs until ctx is done, the workspace goes, or another token
// is written. Until in has said so it ends with the process that started it, whose end
// in sees.
func RunNode(ctx context.Context, in io.Reader) error {
	reader := bufio.NewReader(in)
	line, err := reader.ReadBytes('\n')
	var o NodeOptions
	if err == nil {
		err = json.Unmarshal(line, &o)
	}
	if err != nil || !filepath.IsAbs(o.Dir) {
		return failure.New(failure.Usage, "see: pkictl lab start --help", "this command is started by pkictl lab start alone")
	}
	lock := flock.New(filepath.Join(o.Dir, clusterDir, runDir, nodeLock), flock.SetPermissions(0o600))
	if locked, err := lock.TryLock(); err != nil || !locked {
		return failure.New(failure.Failed, "end that one first", "the node of %q runs already", o.Dir)
	}
	defer func() { _ = lock.Unlock() }() // the end of the process does that, too
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if _, err := reader.ReadBytes('\n'); err != nil { // who has started it is gone
			cancel()
		}
	}()
	n, err := newNode(o)
	if err != nil {
		return err
	}
	defer n.close()
	n.run(ctx)
	return nil
}

func newNode(o NodeOptions) (*node, error) {
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, store.ReadError(err, o.Dir)
	}
	if err := root.MkdirAll(path.Dir(nodeJournal), 0o755); err != nil {
		_ = root.Close()
		return nil, err
	}
	journal, err := root.OpenFile(nodeJournal, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	return &node{
		NodeOptions: o, root: root, journal: journal,
		pods: map[string]*nodePod{}, said: map[string]string{}, state: nodeReport{Pods: map[string]podReport{}},
	}, nil
}

func (n *node) close() {
	_ = n.journal.Close()
	_ = n.root.Close()
}

// say writes to the kubelet's own log.
func (n *node) say(format string, args ...any) {
	text := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	_, _ = fmt.Fprintf(n.journal, "%s kubelet: %s\n", time.Now().UTC().Format(time.RFC3339), text) // a full disk is no reason to end
}

func (n *node) run(ctx context.Context) {
	n.say("the node has started")
	for ctx.Err() == nil && n.isWanted() {
		n.look()
		n.report()
		select {
		case <-ctx.Done():
		case <-time.After(nodeInterval):
		}
	}
	// etcd last: an API server that ends still asks it.
	n.endPods(func(p *nodePod) bool { return p.component.Name != cluster.ComponentEtcd })
	n.endPods(func(*nodePod) bool { return true })
	n.say("the node has ended")
}

func (n *node) endPods(which func(*nodePod) bool) {
	for _, pod := range n.pods {
		if which(pod) {
			pod.end()
		}
	}
	for _, pod := range n.pods {
		if which(pod) {
			<-pod.done
		}
	}
}

// isWanted says whether the workspace is there, and wants this very node.
func (n *node) isWanted() bool {
	token, err := os.ReadFile(filepath.Join(n.Dir, clusterDir, runDir, nodeToken))
	return err == nil && string(token) == n.Token
}

// maxPodManifest is more than a manifest of a control plane needs.
const maxPodManifest = 256 << 10

// look goes over the manifests. As the kubelet does, it takes every file whose name
// does not begin with a dot, whatever its suffix (pkg/kubelet/config/file.go).
func (n *node) look() {
	entries, err := fs.ReadDir(n.root.FS(), nodeManifests)
	if err != nil {
		entries = nil
	}
	seen := map[string]bool{}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || entry.IsDir() {
			continue
		}
		data, err := readPlain(n.root, filepath.FromSlash(path.Join(nodeManifests, name)), maxPodManifest)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		seen[name] = true
		hash := hashOf(data)
		if pod := n.pods[name]; pod != nil && pod.hash == hash && err == nil {
			continue
		}
		n.update(name, hash, data, err)
	}
	for name, pod := range n.pods {
		if !seen[name] {
			n.say("the manifest %s is gone: ending pod %s", name, pod.title())
			pod.end()
			<-pod.done
			delete(n.pods, name)
		}
	}
	for name := range n.state.Pods {
		if !seen[name] {
			delete(n.state.Pods, name)
			delete(n.said, name)
		}
	}
}

// update runs what a new or changed manifest says.
func (n *node) update(name, hash string, data []byte, err error) {
	var pod *nodePod
	if err == nil {
		pod, err = n.newPod(name, hash, data)
	}
	if old := n.pods[name]; old != nil {
		n.say("the manifest %s has changed: ending pod %s", name, old.title())
		old.end()
		<-old.done
		delete(n.pods, name)
	}
	if err != nil {
		if n.said[name] != hash {
			n.say("the manifest %s cannot be decoded: %v", name, err)
		}
		n.said[name] = hash
		n.state.Pods[name] = podReport{Manifest: hash, Problem: oneLine(err.Error())}
		return
	}
	delete(n.said, name)
	n.pods[name] = pod
	n.state.Pods[name] = podReport{Manifest: hash, Name: pod.component.Name}
	n.say("starting pod %s of %s", pod.title(), name)
	pod.start()
}

// report writes what graders read, where it has changed.
func (n *node) report() {
	for name, pod := range n.pods {
		n.state.Pods[name] = pod.report()
	}
	data, err := json.Marshal(n.state)
	if err != nil {
		return
	}
	file := filepath.Join(n.Dir, clusterDir, runDir, nodeState)
	if old, err := os.ReadFile(file); err == nil && string(old) == string(data) {
		return
	}
	_ = store.ReplaceFile(store.File{Path: file, Data: data, Mode: 0o600}) // the next round tries again
}
