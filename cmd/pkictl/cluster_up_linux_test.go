package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkictl/pkictl/cluster"
)

// localRun is a directory with a cluster directory that cluster up runs.
type localRun struct {
	userDir
	assets  string // directory of the real binaries
	kubectl string
}

// newLocalRun returns a directory whose cluster directory kubernetes is yet to be
// made. What is run of it ends with the test.
func newLocalRun(t *testing.T) localRun {
	t.Helper()
	assets, kubectl := peers(t)
	r := localRun{newUserDir(t), filepath.Dir(assets.Etcd), kubectl}
	t.Cleanup(func() {
		cmd := exec.Command(pkictl(), "cluster", "down") // the test's context is over
		cmd.Dir = r.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("cluster down: %v\n%s", err, out)
		}
		r.checkNothingRuns()
	})
	return r
}

// init makes the PKI as kubeadm would.
func (r localRun) init(line string) localRun {
	r.t.Helper()
	if !strings.Contains(line, "--advertise-address") {
		line += " --advertise-address 10.0.0.10"
	}
	r.pkictl("cluster init -q --node cp-1 " + line)
	return r
}

// up runs cluster up, on free ports.
func (r localRun) up(args ...string) outcome {
	r.t.Helper()
	args = append(in("cluster", "up", "--assets", r.assets, "--port", "auto", "--unsafe-no-fsync"), args...)
	return runProgram(r.t, program(r.dir, args...))
}

func (r localRun) mustUp(args ...string) {
	r.t.Helper()
	if got := r.up(args...); got.code != 0 {
		r.t.Fatalf("cluster up: exit code %d\n%s", got.code, got.stderr)
	}
}

// status returns what cluster status says, and its exit code.
func (r localRun) status() (s cluster.Status, code int) {
	r.t.Helper()
	got := runProgram(r.t, program(r.dir, "cluster", "status", "-o", "json"))
	if err := json.Unmarshal([]byte(got.stdout), &s); err != nil {
		r.t.Fatalf("%v\n%s%s", err, got.stdout, got.stderr)
	}
	return s, got.code
}

// as runs kubectl with the kubeconfig that cluster up has written.
func (r localRun) as(line string) string {
	r.t.Helper()
	return r.run(r.kubectl, append(in("--kubeconfig", "kubernetes/run/admin.conf"), strings.Fields(line)...)...)
}

// processes returns the numbers of all processes that run with files of the
// directory, or in it.
func (r localRun) processes() []string {
	r.t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ok(r.t, err)
	var found []string
	for _, path := range lines {
		line, err := os.ReadFile(path)
		cwd, _ := os.Readlink(filepath.Join(filepath.Dir(path), "cwd")) // it may be gone
		if err == nil && (strings.Contains(string(line), r.dir) || cwd == r.dir) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

func (r localRun) checkNothingRuns() {
	r.t.Helper()
	var left []string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if left = r.processes(); left == nil {
			return
		}
	}
	r.t.Errorf("left running:\n%s", strings.Join(left, "\n"))
}

// waitFor asks for the status until it is as wanted.
func (r localRun) waitFor(state cluster.RunState) (cluster.Status, int) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		s, code := r.status()
		if s.State == state {
			return s, code
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("it is %s, not %s: %+v", s.State, state, s)
		}
	}
}

func (r localRun) component(name string) cluster.ProcessStatus {
	r.t.Helper()
	s, _ := r.status()
	for _, c := range s.Components {
		if c.Name == name {
			return c
		}
	}
	r.t.Fatalf("%s is not in the status: %+v", name, s)
	return cluster.ProcessStatus{}
}

// TestClusterUp is the life of a control plane on a PKI that kubeadm made: up,
// used, a component dies, up again with its data, its keeper is killed, down.
func TestClusterUp(t *testing.T) {
	t.Parallel()
	r := newLocalRun(t)
	kubeadmPKI(t, r.dir)
	before := snapshot(t, filepath.Join(r.dir, "kubernetes"))

	got := r.up("--set", "kube-apiserver.anonymous-auth=false", "--set", "kube-apiserver.v=1")
	if got.code != 0 {
		t.Fatalf("exit code %d\n%s", got.code, got.stderr)
	}
	conf := filepath.Join(r.dir, "kubernetes", "run", "admin.conf")
	if !strings.Contains(got.stdout, "Kubernetes v1.36.3 runs on https://127.0.0.1:") || !strings.Contains(got.stdout, "\nNext: export KUBECONFIG="+conf+"\n") {
		t.Errorf("printed %q", got.stdout)
	}
	for _, step := range []string{"etcd is ready", "kube-apiserver is ready", "kube-controller-manager is ready", "kubeadm:cluster-admins"} {
		if !strings.Contains(got.stderr, "done: "+step) && !strings.Contains(got.stderr, step+" and") {
			t.Errorf("no step %q in\n%s", step, got.stderr)
		}
	}
	r.checkUsable()
	r.checkBindings()
	r.checkStatus()
	r.checkSecondUp()
	for path, content := range snapshot(t, filepath.Join(r.dir, "kubernetes")) {
		if strings.HasPrefix(path, filepath.Dir(conf)) {
			continue
		}
		if before[path] != content && path != filepath.Join(r.dir, "kubernetes") { // of which the directory run is new
			t.Errorf("%s has changed", path)
		}
	}
	r.checkKilledKeeper()

	r.mustUp()
	if out := r.as("get namespace kept -o name"); !strings.Contains(out, "namespace/kept") {
		t.Errorf("the data is gone: %s", out)
	}
	r.checkDeadComponent()
	if out := r.pkictl("cluster down"); !strings.Contains(out, "Nothing runs") {
		t.Errorf("down: %s", out)
	}
	if s, code := r.status(); s.State != cluster.RunStopped || code != 3 {
		t.Errorf("after down: %+v, exit code %d", s, code)
	}
}

// kubeadmPKI has kubeadm make a cluster directory, with the SANs that it makes.
func kubeadmPKI(t testing.TB, dir string) {
	t.Helper()
	tools, err := filepath.Abs("../../tools/bin")
	ok(t, err)
	to := filepath.Join(dir, "kubernetes")
	config := fmt.Sprintf(`apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.0.0.10, bindPort: 6443}
nodeRegistration: {name: cp-1}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
certificatesDir: %s/pki
controlPlaneEndpoint: api.example.com:6443
networking: {serviceSubnet: 10.32.0.0/16, dnsDomain: example.net}
`, to)
	path := filepath.Join(dir, "kubeadm.yaml")
	ok(t, os.WriteFile(path, []byte(config), 0o600))
	for _, args := range [][]string{
		in("init", "phase", "certs", "all", "--config", path),
		in("init", "phase", "kubeconfig", "all", "--config", path, "--kubeconfig-dir", to),
	} {
		if out, err := exec.Command(filepath.Join(tools, "kubeadm"), args...).CombinedOutput(); err != nil {
			t.Fatalf("kubeadm: %v\n%s", err, out)
		}
	}
}

// checkUsable: the kubeconfig is that of an administrator by kubeadm's binding,
// what was set is in effect, and the range of services is the certificate's.
func (r localRun) checkUsable() {
	r.t.Helper()
	whoami := r.as("auth whoami -o json")
	if !strings.Contains(whoami, `"kubernetes-admin"`) || !strings.Contains(whoami, `"kubeadm:cluster-admins"`) || strings.Contains(whoami, "system:masters") {
		r.t.Error(whoami)
	}
	r.as("create namespace kept")
	if _, stderr, err := r.try("curl", "-ksSf", r.url()+"/version"); err == nil || !strings.Contains(stderr, "401") {
		r.t.Errorf("anonymous clients are let in: %v %s", err, stderr)
	}
	r.as("wait --for=create service/kubernetes --timeout=60s")
	if ip := r.as("get service kubernetes -o jsonpath={.spec.clusterIP}"); ip != "10.32.0.1" {
		r.t.Errorf("the service has the address %s, which the certificate does not name", ip)
	}
	if issuer := r.as("get --raw /.well-known/openid-configuration"); !strings.Contains(issuer, `"https://kubernetes.default.svc.example.net"`) {
		r.t.Errorf("the issuer is not of the cluster's domain: %s", issuer)
	}
	for path, want := range map[string]os.FileMode{"": 0o700 | os.ModeDir, "admin.conf": 0o600, "controller-manager.conf": 0o600, "state.json": 0o600, "keeper.log": 0o600} {
		info, err := os.Stat(filepath.Join(r.dir, "kubernetes/run", path))
		if err != nil || info.Mode() != want {
			r.t.Errorf("run/%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
}

func (r localRun) url() string {
	s, _ := r.status()
	return s.Server
}

// checkBindings compares the bindings with those that kubeadm makes.
func (r localRun) checkBindings() {
	r.t.Helper()
	for name, want := range map[string]string{
		"kubeadm:cluster-admins":           "cluster-admin Group kubeadm:cluster-admins",
		"kubeadm:apiserver-kubelet-client": "system:kubelet-api-admin User kube-apiserver-kubelet-client",
	} {
		got := r.run(r.kubectl, "--kubeconfig", "kubernetes/run/admin.conf", "get", "clusterrolebinding", name,
			"-o", "jsonpath={.roleRef.name} {.subjects[*].kind} {.subjects[*].name}")
		if got != want {
			r.t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func (r localRun) checkStatus() {
	r.t.Helper()
	s, code := r.status()
	if code != 0 || s.State != cluster.RunReady || s.Version != "v1.36.3" || len(s.Components) != 3 || s.Keeper == nil {
		r.t.Fatalf("exit code %d, %+v", code, s)
	}
	for _, c := range s.Components {
		if c.PID == 0 || c.Port == 0 || !c.Ready || c.Memory < 10<<20 || c.Since.IsZero() {
			r.t.Errorf("%+v", c)
		}
		if _, err := os.Stat(c.Log); err != nil {
			r.t.Error(err)
		}
	}
	// It has the address space of a Go program and nothing to do.
	if s.Keeper.Memory > 40<<20 {
		r.t.Errorf("the keeper has %d MiB", s.Keeper.Memory>>20)
	}
	session, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, uintptr(s.Keeper.PID), 0, 0)
	if errno != 0 || int(session) != s.Keeper.PID {
		r.t.Errorf("the keeper is in session %d of another: %v", session, errno)
	}
	text := r.pkictl("cluster status")
	for _, want := range []string{"is ready", "COMPONENT", "kube-controller-manager", fmt.Sprint(s.Keeper.PID), "kube-apiserver --anonymous-auth=false", s.Kubeconfig} {
		if !strings.Contains(text, want) {
			r.t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// checkSecondUp: a plain one, or the same, is told of the first; another is refused.
func (r localRun) checkSecondUp() {
	r.t.Helper()
	first, _ := r.status()
	for _, args := range [][]string{
		in("cluster", "up", "--assets", r.assets, "--port", "auto", "--unsafe-no-fsync", "--set", "kube-apiserver.anonymous-auth=false", "--set", "kube-apiserver.v=1"),
	} {
		got := runProgram(r.t, program(r.dir, args...))
		if got.code != 0 || !strings.Contains(got.stdout, "runs on "+first.Server+" already") || !strings.Contains(got.stdout, "export KUBECONFIG=") {
			r.t.Errorf("%+v", got)
		}
	}
	plain := program(r.dir, "cluster", "up")
	plain.Env = append(plain.Env, "PKICTL_ASSETS="+r.assets)
	if got := runProgram(r.t, plain); got.code != 0 || !strings.Contains(got.stdout, " already") {
		r.t.Errorf("%+v", got)
	}
	checkRefusal(r.t, "with another flag", r.up("--set", "etcd.log-level=debug"), 1, "runs already, with other options", "pkictl cluster down")
	checkRefusal(r.t, "in the foreground", r.up("--foreground", "--set", "kube-apiserver.anonymous-auth=false", "--set", "kube-apiserver.v=1"), 1, "runs already", "pkictl cluster down")
	if now, _ := r.status(); now.Keeper == nil || now.Keeper.PID != first.Keeper.PID {
		r.t.Errorf("it is another one: %+v", now)
	}
}

// TestClusterUpKeys runs every kind of keys, each with something else beside.
func TestClusterUpKeys(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		init    string
		prepare func(t *testing.T, dir string)
		up      []string
		service string // address of the first
		check   func(t *testing.T, r localRun)
	}{
		"ECDSA P-256, services of both families, by the plain commands": {
			init: "--key ecdsa-p256 --advertise-address fd00::10 --service-cidr fd00:96::/112,10.96.0.0/16", service: "fd00:96::1",
			check: func(_ *testing.T, r localRun) {
				if ranges := r.as("get servicecidr kubernetes -o jsonpath={.spec.cidrs[*]}"); ranges != "fd00:96::/112 10.96.0.0/16" {
					r.t.Errorf("ranges of services: %s", ranges)
				}
			},
		},
		// What is minted instead is in the inventory, and only there.
		"ECDSA P-384, no super-admin.conf, no cluster.yaml, IPv6 services": {
			init: "--key ecdsa-p384 --advertise-address fd00::10 --service-cidr fd00:32::/108", service: "fd00:32::1",
			prepare: both(remove("kubernetes/super-admin.conf"), remove("kubernetes/cluster.yaml")),
			check: func(t *testing.T, r localRun) {
				if list := r.pkictl("list --dir kubernetes/pki"); !strings.Contains(list, "kubernetes-super-admin") {
					t.Errorf("the credential that made the bindings is not in the inventory:\n%s", list)
				}
				for path, content := range snapshot(t, filepath.Join(r.dir, "kubernetes")) {
					if strings.Contains(content, "kubernetes-super-admin") && filepath.Base(path) != "inventory.db" {
						t.Errorf("%s holds it", path)
					}
				}
			},
		},
		"RSA-4096, the CA's key elsewhere, without kube-controller-manager": {
			init: "--key rsa-4096", service: "10.96.0.1", prepare: remove("kubernetes/pki/ca.key"), up: in("--without-controller-manager"),
			check: func(t *testing.T, r localRun) {
				if s, code := r.status(); len(s.Components) != 2 || code != 0 {
					t.Errorf("exit code %d, %+v", code, s)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newLocalRun(t)
			r.init(tt.init)
			if tt.prepare != nil {
				tt.prepare(t, r.dir)
			}
			r.mustUp(tt.up...)
			if who := r.as("auth whoami -o jsonpath={.status.userInfo.username}"); who != "kubernetes-admin" {
				t.Errorf("the administrator is %q", who)
			}
			r.checkBindings()
			r.as("wait --for=create service/kubernetes --timeout=60s")
			if ip := r.as("get service kubernetes -o jsonpath={.spec.clusterIP}"); ip != tt.service {
				t.Errorf("the service has the address %s, want %s", ip, tt.service)
			}
			tt.check(t, r)
			r.checkDown()
		})
	}
}

// TestClusterUpExplain runs the commands that it prints.
func TestClusterUpExplain(t *testing.T) {
	t.Parallel()
	r := newLocalRun(t).init("")
	before := snapshot(t, r.dir)
	recipe := r.pkictl("cluster up --explain --port auto --unsafe-no-fsync --set kube-apiserver.v=1 --assets " + r.assets)
	checkUnchanged(t, "--explain", r.dir, before)
	ok(t, os.WriteFile(filepath.Join(r.dir, "recipe"), []byte(recipe), 0o600))
	script := `export PATH="` + r.assets + `:$PATH"; trap 'set +e; kill %3; wait %3; kill %2; wait %2; kill %1; wait; exit 0' EXIT; set -e; . ./recipe
		until kubectl auth can-i '*' '*' >/dev/null 2>&1; do sleep 0.1; done; kubectl auth whoami -o jsonpath='{.status.userInfo.username}'`
	if out := r.run("bash", "-c", script); !strings.HasSuffix(out, "kubernetes-admin") {
		t.Error(out)
	}
	r.checkNothingRuns()
}
