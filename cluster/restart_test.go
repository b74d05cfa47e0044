//go:build unix

package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/kubeconfig"
)

// restartDir is a cluster directory with the manifest of an API server.
type restartDir struct {
	dir, manifest string
	port          int
}

// newRestartDir makes one, with a PKI. Nothing listens on its port.
func newRestartDir(t *testing.T) *restartDir {
	t.Helper()
	dir := t.TempDir()
	pki := filepath.Join(dir, "pki")
	testPKI(t, pki)
	ports, err := FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	d := &restartDir{dir: dir, manifest: filepath.Join(dir, "manifests", "kube-apiserver.yaml"), port: ports[0]}
	if err := os.Mkdir(filepath.Dir(d.manifest), 0o700); err != nil {
		t.Fatal(err)
	}
	command := fmt.Sprintf("[kube-apiserver, --bind-address=127.0.0.1, --secure-port=%d, '--tls-cert-file=%[2]s/apiserver.crt', '--tls-private-key-file=%[2]s/apiserver.key']",
		d.port, filepath.ToSlash(pki))
	testWrite(t, d.manifest, []byte(manifestOf(ComponentAPIServer, command, fmt.Sprintf(
		"    volumeMounts: [{name: pki, mountPath: %q}]\n  volumes: [{name: pki, hostPath: {path: %[1]q}}]", pki))))
	return d
}

func (d *restartDir) aside() string { return filepath.Dir(d.manifest) + "-restarting" }

// options are impatient.
func (d *restartDir) options() RestartOptions {
	return RestartOptions{
		Dir: d.dir, Components: []string{ComponentAPIServer}, Timeout: 3 * time.Second, FileCheck: time.Millisecond,
		LogDir: filepath.Join(d.dir, "log"), Now: time.Now(),
	}
}

// tree describes all files.
func (d *restartDir) tree(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(d.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&all, "%s %v", path, info.Mode())
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&all, " %x", data)
		}
		all.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// serve answers as a healthy API server while the manifest is in its place, with
// a certificate of the PKI.
func (d *restartDir) serve(t *testing.T, certificate string) {
	t.Helper()
	base := filepath.Join(d.dir, "pki", filepath.FromSlash(certificate))
	pair, err := tls.LoadX509KeyPair(base+".crt", base+".key")
	if err != nil {
		t.Fatal(err)
	}
	up := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		for first := true; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(d.manifest); err != nil {
				continue
			}
			l, err := tls.Listen("tcp", address(d.port), &tls.Config{Certificates: []tls.Certificate{pair}})
			if err != nil {
				t.Error(err)
				return
			}
			if first {
				close(up)
				first = false
			}
			server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Minute}
			ended.Go(func() { _ = server.Serve(l) })
			for ctx.Err() == nil {
				if _, err := os.Stat(d.manifest); err != nil {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			_ = server.Close()
		}
	})
	t.Cleanup(func() {
		cancel()
		ended.Wait()
	})
	<-up
}

func TestRestartRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, d *restartDir, o *RestartOptions)
		err   string
		kind  failure.Kind
	}{
		{"no such component", func(_ *testing.T, _ *restartDir, o *RestartOptions) { o.Components = []string{"kubelet"} }, `"kubelet" is no component`, failure.Usage},
		{"twice", func(_ *testing.T, _ *restartDir, o *RestartOptions) {
			o.Components = []string{ComponentAPIServer, ComponentAPIServer}
		}, "twice", failure.Usage},
		{"no directory", func(_ *testing.T, d *restartDir, o *RestartOptions) { o.Manifests = filepath.Join(d.dir, "none") }, "there is no directory of manifests", failure.Failed},
		{"no directory, but a file", func(_ *testing.T, d *restartDir, o *RestartOptions) { o.Manifests = d.manifest }, "is no directory", failure.Failed},
		{"not on this node", func(_ *testing.T, _ *restartDir, o *RestartOptions) {
			o.Components = []string{ComponentEtcd, ComponentScheduler}
		}, "runs etcd or kube-scheduler", failure.Failed},
		{"broken manifest", func(t *testing.T, d *restartDir, _ *RestartOptions) {
			testWrite(t, d.manifest, []byte("kind: Pod\nspec: 1"))
		}, "cannot be read", failure.Failed},
		{"two manifests", func(t *testing.T, d *restartDir, _ *RestartOptions) {
			data, _ := os.ReadFile(d.manifest)
			testWrite(t, d.manifest+".bak", data)
		}, "kube-apiserver.yaml.bak", failure.Refused},
		{"certificate is gone", func(t *testing.T, d *restartDir, _ *RestartOptions) {
			if err := os.Remove(filepath.Join(d.dir, "pki", "apiserver.crt")); err != nil {
				t.Fatal(err)
			}
		}, "is not restarted, for it would not come back: cannot read", failure.Failed},
		{"key of another", func(t *testing.T, d *restartDir, _ *RestartOptions) {
			data, _ := os.ReadFile(filepath.Join(d.dir, "pki", "ca.key"))
			testWrite(t, filepath.Join(d.dir, "pki", "apiserver.key"), data)
		}, "its key cannot be read, or do not fit", failure.Failed},
		{"expired", func(_ *testing.T, _ *restartDir, o *RestartOptions) { o.Now = o.Now.AddDate(20, 0, 0) }, "expired on", failure.Failed},
		{"written anew", func(t *testing.T, d *restartDir, _ *RestartOptions) {
			if err := os.Mkdir(d.aside(), 0o700); err != nil {
				t.Fatal(err)
			}
			testWrite(t, filepath.Join(d.aside(), "etcd.yaml"), []byte("kind: Pod"))
			testWrite(t, filepath.Join(d.aside(), "kube-apiserver.yaml"), []byte("old"))
		}, "was written anew while the old one lay in", failure.Refused},
		{"a link in the place of what is aside", func(t *testing.T, d *restartDir, _ *RestartOptions) {
			if err := os.Symlink(t.TempDir(), d.aside()); err != nil {
				t.Fatal(err)
			}
		}, "is not trusted", failure.Refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newRestartDir(t)
			o := d.options()
			tt.spoil(t, d, &o)
			before := d.tree(t)
			_, err := RestartStaticPods(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), tt.err) || failure.KindOf(err) != tt.kind || failure.HintOf(err) == "" {
				t.Errorf("%v (kind %d, hint %q); want %q", err, failure.KindOf(err), failure.HintOf(err), tt.err)
			}
			if after := d.tree(t); after != before {
				t.Errorf("there were\n%sand are\n%s", before, after)
			}
		})
	}
}

func TestRestartServesTheFile(t *testing.T) {
	t.Parallel()
	d := newRestartDir(t)
	d.serve(t, "apiserver")
	o := d.options()
	o.Components = staticPods
	o.Timeout = time.Minute
	before := d.tree(t)
	result, err := RestartStaticPods(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	got := result.Components[1]
	if got.State != RestartDone || got.Serves != filepath.Join(d.dir, "pki", "apiserver.crt") || got.Manifest != d.manifest {
		t.Errorf("%+v", got)
	}
	for _, i := range []int{0, 2, 3} {
		if c := result.Components[i]; c.State != RestartSkipped || !strings.Contains(c.Note, "no manifest in") {
			t.Errorf("%+v", c)
		}
	}
	if after := d.tree(t); after != before {
		t.Errorf("there were\n%sand are\n%s", before, after)
	}
}

// A component that holds on to another certificate, or another one on its port.
func TestRestartServesAnother(t *testing.T) {
	t.Parallel()
	d := newRestartDir(t)
	d.serve(t, "etcd/server")
	o := d.options()
	o.Timeout = time.Minute
	result, err := RestartStaticPods(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "does not serve certificate") || result.Components[0].State != RestartDone {
		t.Errorf("%v, %+v", err, result)
	}
}

// A certificate that is not on the host cannot be compared, which is said.
func TestRestartCannotCompare(t *testing.T) {
	t.Parallel()
	d := newRestartDir(t)
	data, err := os.ReadFile(d.manifest)
	if err != nil {
		t.Fatal(err)
	}
	testWrite(t, d.manifest, []byte(strings.Replace(string(data), "hostPath: {path", "emptyDir: {medium", 1)))
	d.serve(t, "apiserver")
	o := d.options()
	o.Timeout = time.Minute
	result, err := RestartStaticPods(t.Context(), o)
	if err != nil || result.Components[0].State != RestartDone || !strings.Contains(result.Components[0].Note, "was not compared") {
		t.Errorf("%v, %+v", err, result)
	}
}

// Without a kubelet nothing stops.
func TestRestartDoesNotStop(t *testing.T) {
	t.Parallel()
	d := newRestartDir(t)
	l, err := net.Listen("tcp", address(d.port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before := d.tree(t)
	result, err := RestartStaticPods(t.Context(), d.options())
	if err == nil || !strings.Contains(err.Error(), "kube-apiserver is not down 3s after its manifest was moved out of ") || !strings.Contains(err.Error(), "it accepts connections on") || !strings.Contains(failure.HintOf(err), "systemctl status kubelet") {
		t.Errorf("%v", err)
	}
	if result.Components[0].State != RestartNotStopped {
		t.Errorf("%+v", result)
	}
	if after := d.tree(t); after != before {
		t.Errorf("there were\n%sand are\n%s", before, after)
	}
}

func TestRestartDoesNotComeBack(t *testing.T) {
	t.Parallel()
	d := newRestartDir(t)
	logs := filepath.Join(d.dir, "log", "kube-system_kube-apiserver-node-1_0123", ComponentAPIServer)
	if err := os.MkdirAll(logs, 0o700); err != nil {
		t.Fatal(err)
	}
	testWrite(t, filepath.Join(logs, "0.log"), []byte("2026-01-01T00:00:00.1Z stderr F of the life before\n"))
	o := d.options()
	o.Progress = func(step string) {
		if strings.Contains(step, "is back") {
			testWrite(t, filepath.Join(logs, "1.log"), []byte("2026-01-01T00:00:00.123456789Z stderr F panic: \x1b[31mno luck\n"))
			testWrite(t, filepath.Join(logs, "2.log"), nil)
		}
	}
	_, err := RestartStaticPods(t.Context(), o)
	var failed *ComponentError
	if !errors.As(err, &failed) || failed.Log != filepath.Join(logs, "1.log") || strings.Join(failed.Tail, "|") != `panic: \x1b[31mno luck` {
		t.Fatalf("%v", err)
	}
	if !strings.Contains(err.Error(), "a static pod did not come back: kube-apiserver is not healthy 3s after its manifest came back (last answer: ") {
		t.Error(err)
	}
	if _, err := os.Stat(d.manifest); err != nil {
		t.Error(err)
	}
}

// whenAway does something while the manifest is away, and then ends the context
// that it returns.
func (d *restartDir) whenAway(t *testing.T, do func()) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			if _, err := os.Stat(d.manifest); err != nil {
				do()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return ctx
}

// A kubeconfig that a component cannot use keeps it from being restarted.
func TestRestartChecksKubeconfig(t *testing.T) {
	t.Parallel()
	pki := filepath.Join(t.TempDir(), "pki")
	testPKI(t, pki)
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(pki, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	config := func(key string) string {
		data, err := kubeconfig.Entry{
			Server: "https://127.0.0.1:6443", Cluster: "kubernetes", User: "scheduler",
			CAPEM: read("ca.crt"), CertPEM: read("controller-manager.crt"), KeyPEM: read(key),
		}.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	good := config("controller-manager.key")
	now := time.Now()
	for _, tt := range []struct {
		name, config string
		now          time.Time
		err          string // "" for none
	}{
		{"good", good, now, ""},
		{"with a token", "kind: Config\napiVersion: v1\ncurrent-context: a\ncontexts: [{name: a, context: {user: b}}]\nusers: [{name: b, user: {token: c}}]", now, ""},
		{"expired", good, now.AddDate(20, 0, 0), "expired on"},
		{"not yet", good, now.AddDate(-1, 0, 0), "not yet valid"},
		{"key of another", config("ca.key"), now, "do not fit"},
		{"no user", strings.Replace(good, "current-context: ", "current-context: other-", 1), now, "no current user"},
		{"garbage", "a: [", now, "kube-scheduler is not restarted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "scheduler.conf")
			testWrite(t, path, []byte(tt.config))
			pod := testPod(t, manifestOf(ComponentScheduler, "[kube-scheduler, --kubeconfig=/etc/s.conf]", fmt.Sprintf(
				"    volumeMounts: [{name: c, mountPath: /etc/s.conf}]\n  volumes: [{name: c, hostPath: {path: %q, type: FileOrCreate}}]", path)))
			err := pod.checkFiles(tt.now)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
}
