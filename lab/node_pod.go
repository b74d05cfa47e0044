package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/staticpod"
)

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// nodePod is a pod from its manifest's coming to its going.
type nodePod struct {
	node      *node
	file      string
	hash      string
	component *staticpod.Component
	end       context.CancelFunc
	ctx       context.Context //nolint:containedctx // the pod's life
	done      chan struct{}

	first int // log of this life of the pod

	mu    sync.Mutex // guards state
	state podReport
}

// newPod reads a manifest as far as the node can run it.
func (n *node) newPod(file, hash string, data []byte) (*nodePod, error) {
	pod, err := staticpod.Parse(data)
	if err != nil {
		return nil, err
	}
	if pod.Kind != "Pod" || pod.Name == "" || len(pod.Spec.Containers) == 0 {
		return nil, errors.New("it is no Pod with a name and a container")
	}
	if len(pod.Spec.Containers) > 1 || len(pod.Spec.InitContainers) > 0 {
		return nil, errors.New("the node of a lab runs pods of one container")
	}
	if err := checkVolumes(&pod.Spec); err != nil {
		return nil, err
	}
	container := &pod.Spec.Containers[0]
	ctx, end := context.WithCancel(context.Background())
	return &nodePod{
		node: n, file: file, hash: hash, end: end, ctx: ctx, done: make(chan struct{}),
		component: &staticpod.Component{Name: container.Name, Pod: pod, Container: container},
		state:     podReport{Manifest: hash, Name: container.Name},
	}, nil
}

// checkVolumes refuses what an API server refuses in a pod (validateVolumeMounts of
// pkg/apis/core/validation).
func checkVolumes(spec *corev1.PodSpec) error {
	known := map[string]bool{}
	for _, v := range spec.Volumes {
		if known[v.Name] {
			return fmt.Errorf("spec.volumes: Duplicate value: %q", v.Name)
		}
		known[v.Name] = true
	}
	paths := map[string]bool{}
	for _, m := range spec.Containers[0].VolumeMounts {
		switch {
		case !known[m.Name]:
			return fmt.Errorf("spec.containers[0].volumeMounts: Not found: volume %q", m.Name)
		case paths[m.MountPath]:
			return fmt.Errorf("spec.containers[0].volumeMounts: %q must be unique", m.MountPath)
		case m.MountPath == "":
			return fmt.Errorf("spec.containers[0].volumeMounts: volume %q has no mountPath", m.Name)
		}
		paths[m.MountPath] = true
	}
	return nil
}

func (p *nodePod) title() string { return p.component.Pod.Namespace + "/" + p.component.Pod.Name }

func (p *nodePod) report() podReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func (p *nodePod) note(change func(*podReport)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.state)
}

// Back-offs of a container that ends: shorter than the kubelet's, which begin with ten
// seconds.
const (
	firstBackOff = 500 * time.Millisecond
	lastBackOff  = 4 * time.Second
)

// start runs the container again and again until the pod ends.
func (p *nodePod) start() {
	go func() {
		defer close(p.done)
		for n, wait := 0, firstBackOff; p.ctx.Err() == nil; n, wait = n+1, min(2*wait, lastBackOff) {
			if err := p.run(n); err != nil && p.ctx.Err() == nil {
				p.node.say("pod %s: %v", p.title(), err)
				p.note(func(r *podReport) { r.Problem = oneLine(err.Error()) })
			}
			p.note(func(r *podReport) { r.Ends++ })
			select {
			case <-p.ctx.Done():
			case <-time.After(wait):
			}
		}
	}()
}

// podGrace is between SIGTERM and SIGKILL.
const podGrace = 5 * time.Second

// run runs the container until it ends.
func (p *nodePod) run(n int) error {
	program, err := p.program()
	if err != nil {
		return err
	}
	scratch := path.Join(clusterDir, runDir, "containers", p.file)
	if err := p.node.root.RemoveAll(scratch); err != nil {
		return err
	}
	if err := p.node.root.MkdirAll(scratch, 0o700); err != nil {
		return err
	}
	if err := p.mount(); err != nil {
		return err
	}
	words, err := p.command(scratch)
	if err != nil {
		return err
	}
	log, err := p.log(n)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own descriptor
	if err := p.readOnly(); err != nil {
		_, _ = fmt.Fprintf(log, "Error: %v\n", err)
		return fmt.Errorf("container %s ended: exit status 1", p.component.Name)
	}
	cmd := exec.Command(program, words...)
	cmd.Env, cmd.Dir = []string{}, filepath.Join(p.node.Dir, filepath.FromSlash(scratch))
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, cluster.ChildAttributes()
	return p.wait(cmd)
}

// wait starts the process and waits for its end, on one thread: see
// cluster.ChildAttributes.
func (p *nodePod) wait(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return err
	}
	p.note(func(r *podReport) { r.Since, r.Problem = time.Now(), "" })
	ended := make(chan struct{})
	stop := context.AfterFunc(p.ctx, func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err == nil {
			select {
			case <-ended:
				return
			case <-time.After(podGrace):
			}
		}
		_ = cmd.Process.Kill() // or it has ended
	})
	err := cmd.Wait()
	close(ended)
	stop()
	if err == nil {
		err = errors.New("exit status 0")
	}
	return fmt.Errorf("container %s ended: %w", p.component.Name, err)
}

// program finds what the container is to run: no other than a part of the control
// plane.
func (p *nodePod) program() (string, error) {
	var word string
	if command := p.component.Container.Command; len(command) > 0 {
		word = command[0]
	}
	found := map[string]string{
		cluster.ComponentEtcd: p.node.Assets.Etcd, cluster.ComponentAPIServer: p.node.Assets.APIServer,
		cluster.ComponentControllerManager: p.node.Assets.ControllerManager,
	}[word]
	if found == "" {
		return "", fmt.Errorf("exec: %q: executable file not found in $PATH (the node of a lab has %s, %s and %s alone)", word,
			cluster.ComponentEtcd, cluster.ComponentAPIServer, cluster.ComponentControllerManager)
	}
	return found, nil
}

// keptLogs is how many logs of a container are kept.
const keptLogs = 5

// log opens the container's log where the kubelet has it. The lines are the program's
// own, without the time that a container runtime puts before them.
func (p *nodePod) log(n int) (*os.File, error) {
	pod := p.component.Pod
	dir := path.Join(nodePodLogs, strings.Join([]string{pod.Namespace, pod.Name, p.hash}, "_"), p.component.Name)
	if err := p.node.root.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	// The kubelet counts on (pkg/kubelet/kuberuntime: calcRestartCountByLogDir).
	if n == 0 {
		if entries, err := fs.ReadDir(p.node.root.FS(), dir); err == nil {
			for _, e := range entries {
				var last int
				if _, err := fmt.Sscanf(e.Name(), "%d.log", &last); err == nil {
					n = max(n, last+1)
				}
			}
		}
		p.note(func(r *podReport) { r.Ends = 0 })
		p.first = n
	} else {
		n += p.first
	}
	if n >= keptLogs {
		_ = p.node.root.Remove(path.Join(dir, fmt.Sprintf("%d.log", n-keptLogs))) // it may be gone
	}
	name := path.Join(dir, fmt.Sprintf("%d.log", n))
	p.note(func(r *podReport) { r.Log = name })
	return p.node.root.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}
