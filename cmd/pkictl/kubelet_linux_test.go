package main_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// standIn does what a kubelet does with the manifests in a directory, as far as
// a control plane needs it: it runs the first container of each as a plain
// process, ends that when the manifest goes, starts it anew when the manifest
// changes or it dies, and keeps its logs. What is mounted from the host must have
// the same path in the container.
type standIn struct {
	t         testing.TB
	manifests string
	logs      string            // like /var/log/pods
	programs  map[string]string // paths of what commands name
	grace     time.Duration     // between SIGTERM and SIGKILL
	own       string            // directories are made below it alone

	inotify *os.File
	watcher chan struct{} // closed when nothing is watched any more
	mu      sync.Mutex
	pods    map[string]*standInPod // by file
	starts  []string               // components in the order of their starts
	journal []string               // the kubelet's own log
}

// standInPod is one life of a pod, from its manifest's coming to its going.
type standInPod struct {
	data string // of the manifest
	end  context.CancelFunc
	done chan struct{}
}

// startKubelet runs the manifests that are and will be in a directory until the
// test ends. The programs are those of tools/bin.
func startKubelet(t testing.TB, dir, manifests string, programs map[string]string) *standIn {
	t.Helper()
	k := &standIn{
		t: t, own: dir, manifests: manifests, logs: filepath.Join(dir, "log", "pods"), programs: programs, grace: 2 * time.Second,
		watcher: make(chan struct{}), pods: map[string]*standInPod{},
	}
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	ok(t, err)
	k.inotify = os.NewFile(uintptr(fd), "inotify")
	// Those of fsnotify, which the kubelet uses (pkg/kubelet/config/file_linux.go).
	_, err = syscall.InotifyAddWatch(fd, manifests, syscall.IN_MOVED_TO|syscall.IN_MOVED_FROM|syscall.IN_CREATE|syscall.IN_ATTRIB|
		syscall.IN_MODIFY|syscall.IN_DELETE|syscall.IN_ONLYDIR)
	ok(t, err)
	entries, err := os.ReadDir(manifests)
	ok(t, err)
	for _, entry := range entries {
		k.update(entry.Name())
	}
	go k.watch()
	t.Cleanup(k.stop)
	return k
}

func (k *standIn) stop() {
	_ = k.inotify.Close() // which ends watch
	<-k.watcher
	k.mu.Lock()
	pods := k.pods
	k.pods = nil
	k.mu.Unlock()
	for _, pod := range pods {
		pod.end()
	}
	for _, pod := range pods {
		<-pod.done
	}
}

// watch reads events as inotify(7) lays them out.
func (k *standIn) watch() {
	defer close(k.watcher)
	buffer := make([]byte, 64<<10)
	for {
		n, err := k.inotify.Read(buffer)
		if err != nil {
			if !errors.Is(err, fs.ErrClosed) {
				k.t.Errorf("kubelet: %v", err)
			}
			return
		}
		for event := buffer[:n]; len(event) >= syscall.SizeofInotifyEvent; {
			mask, length := binary.NativeEndian.Uint32(event[4:]), binary.NativeEndian.Uint32(event[12:])
			end := syscall.SizeofInotifyEvent + int(length)
			name := strings.TrimRight(string(event[syscall.SizeofInotifyEvent:end]), "\x00")
			if mask&(syscall.IN_MOVED_FROM|syscall.IN_DELETE) != 0 {
				k.remove(name)
			} else {
				k.update(name)
			}
			event = event[end:]
		}
	}
}

func (k *standIn) remove(file string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if pod := k.pods[file]; pod != nil {
		pod.data = ""
		pod.end()
	}
}

// update starts the pod of a file, or starts it anew where the file has changed.
// One that cannot be decoded changes nothing, as with the kubelet.
func (k *standIn) update(file string) {
	data, err := os.ReadFile(filepath.Join(k.manifests, file))
	if strings.HasPrefix(file, ".") || err != nil {
		return // it is gone again, or a directory
	}
	spec := new(corev1.Pod)
	if err := yaml.Unmarshal(data, spec); err != nil || spec.Kind != "Pod" || len(spec.Spec.Containers) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pods == nil {
		return
	}
	before := k.pods[file]
	if before != nil {
		if before.data == string(data) {
			return
		}
		before.end()
	}
	ctx, end := context.WithCancel(context.Background())
	pod := &standInPod{data: string(data), end: end, done: make(chan struct{})}
	k.pods[file] = pod
	go func() {
		defer close(pod.done)
		if before != nil {
			<-before.done
		}
		k.live(ctx, file, string(data), spec)
	}()
}

// live runs the container again and again until ctx ends.
func (k *standIn) live(ctx context.Context, file, data string, pod *corev1.Pod) {
	// Another manifest makes another pod (pkg/kubelet/config/common.go: applyDefaults).
	uid := sha256.Sum256([]byte(file + data))
	container := &pod.Spec.Containers[0]
	dir := filepath.Join(k.logs, fmt.Sprintf("%s_%s-node-1_%s", pod.Namespace, pod.Name, hex.EncodeToString(uid[:8])), container.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		k.t.Errorf("kubelet: %v", err)
		return
	}
	// The kubelet counts on (pkg/kubelet/kuberuntime: calcRestartCountByLogDir).
	before, err := os.ReadDir(dir)
	if err != nil {
		k.t.Errorf("kubelet: %v", err)
		return
	}
	for n := len(before); ctx.Err() == nil; k.backOff(ctx) {
		if err := k.mount(pod, container); err != nil {
			k.say(err)
			continue
		}
		log, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%d.log", n)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			k.t.Errorf("kubelet: %v", err)
			return
		}
		if err := k.run(ctx, container, log); err != nil {
			k.say(err)
		}
		_ = log.Close() // written by the process
		n++
	}
}

// backOff waits for less long than the kubelet does.
func (k *standIn) backOff(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(200 * time.Millisecond):
	}
}

// say is what the kubelet writes to its own log, and never to the container's.
func (k *standIn) say(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.journal = append(k.journal, err.Error())
}

// mount checks what the container mounts from the host as the kubelet does
// (pkg/volume/hostpath).
func (k *standIn) mount(pod *corev1.Pod, container *corev1.Container) error {
	for _, m := range container.VolumeMounts {
		for _, volume := range pod.Spec.Volumes {
			if volume.Name != m.Name || volume.HostPath == nil {
				continue
			}
			if volume.HostPath.Path != m.MountPath {
				k.t.Errorf("kubelet: %s is mounted at %s, which a process of the host cannot have", volume.HostPath.Path, m.MountPath)
			}
			if err := k.mountPath(volume.HostPath); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *standIn) mountPath(source *corev1.HostPathVolumeSource) error {
	kind := corev1.HostPathUnset
	if source.Type != nil {
		kind = *source.Type
	}
	info, err := os.Stat(source.Path)
	isOurs := strings.HasPrefix(source.Path, k.own+"/")
	switch {
	case err == nil && kind == corev1.HostPathFile && !info.Mode().IsRegular(),
		err == nil && kind == corev1.HostPathDirectory && !info.IsDir():
		return fmt.Errorf("MountVolume.SetUp failed: hostPath type check failed: %s is not a %s", source.Path, kind)
	case err != nil && kind == corev1.HostPathDirectoryOrCreate && isOurs:
		return os.MkdirAll(source.Path, 0o755)
	case err != nil && (kind == corev1.HostPathFile || kind == corev1.HostPathDirectory):
		return fmt.Errorf("MountVolume.SetUp failed: hostPath type check failed: %s is not a %s", source.Path, kind)
	}
	return nil
}

// run runs the container's process until it ends, and ends it with ctx.
func (k *standIn) run(ctx context.Context, container *corev1.Container, log *os.File) error {
	words := append(append([]string{}, container.Command...), container.Args...)
	if len(words) == 0 || k.programs[words[0]] == "" {
		return fmt.Errorf("exec: %q: executable file not found in $PATH", strings.Join(words, " "))
	}
	cmd := exec.Command(k.programs[words[0]], words[1:]...)
	cmd.Env = []string{}
	for _, variable := range container.Env {
		cmd.Env = append(cmd.Env, variable.Name+"="+variable.Value)
	}
	cmd.Stdout, cmd.Stderr = log, log
	// It dies with the thread that starts it (golang.org/issue/27505), and so with
	// the test, however that ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	k.mu.Lock()
	k.starts = append(k.starts, container.Name)
	k.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	stopped := context.AfterFunc(ctx, func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(k.grace):
			_ = cmd.Process.Kill()
		}
	})
	err := cmd.Wait()
	close(ended)
	stopped()
	return err
}

// started returns the components in the order of their starts, since the last
// call of it.
func (k *standIn) started() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	started := strings.Join(k.starts, " ")
	k.starts = nil
	return started
}

// logOf returns all logs of a component.
func (k *standIn) logOf(component string) string {
	k.t.Helper()
	paths, err := filepath.Glob(filepath.Join(k.logs, "*", component, "*.log"))
	ok(k.t, err)
	var all strings.Builder
	for _, path := range paths {
		data, err := os.ReadFile(path)
		ok(k.t, err)
		all.Write(data)
	}
	return all.String()
}
