package cluster

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/pkictl/pkictl/internal/staticpod"
)

// testPod decodes a manifest with one component in it.
func testPod(t testing.TB, manifest string) *staticPod {
	t.Helper()
	pod, err := staticpod.Parse([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	for _, component := range staticPods {
		if found := staticpod.Find(pod, component); found != nil {
			return &staticPod{found, "m.yaml"}
		}
	}
	t.Fatalf("no component in\n%s", manifest)
	return nil
}

// manifestOf is a manifest with a command in YAML and more fields of the container.
func manifestOf(component, command, more string) string {
	return `apiVersion: v1
kind: Pod
metadata: {name: ` + component + `, namespace: kube-system}
spec:
  futureField: {a: 1}
  containers:
  - name: ` + component + `
    command: ` + command + `
` + more + `
`
}

const (
	probeAt  = "    readinessProbe: {httpGet: {host: 10.0.0.10, port: probe-port, scheme: HTTPS, path: /livez}}\n    ports: [{name: probe-port, containerPort: 8443}]\n"
	probeInt = "    livenessProbe: {httpGet: {port: 8443, path: /healthz}}\n"
)

func TestListener(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	testPKI(t, filepath.Join(dir, "pki"))
	for _, tt := range []struct{ name, manifest, url, cert string }{
		{"kubeadm's etcd", manifestOf("etcd", "[etcd, '--listen-client-urls=https://127.0.0.1:2379,https://10.0.0.10:2379', --cert-file=/s.crt, --trusted-ca-file=/ca.crt]", ""),
			"https://127.0.0.1:2379/health", "cert-file"},
		{"etcd everywhere", manifestOf("etcd", "[etcd, --listen-client-urls, 'https://0.0.0.0:2379']", ""), "https://127.0.0.1:2379/health", "cert-file"},
		{"etcd with one dash", manifestOf("etcd", "[etcd, '-listen-client-urls=https://10.0.0.10:1']", ""), "https://10.0.0.10:1/health", "cert-file"},
		{"etcd by variables", manifestOf("etcd", "[etcd]", "    env: [{name: ETCD_LISTEN_CLIENT_URLS, value: 'https://[::]:4'}]"), "https://[::1]:4/health", "cert-file"},
		{"etcd without flags", manifestOf("etcd", "[etcd]", ""), "http://localhost:2379/health", ""},
		{"etcd with health elsewhere", manifestOf("etcd", "[etcd, '--listen-client-urls=https://127.0.0.1:1', '--listen-client-http-urls=http://127.0.0.1:2']", ""),
			"http://127.0.0.1:2/health", ""},
		{"kubeadm's API server", manifestOf("kube-apiserver", "[kube-apiserver, --advertise-address=10.0.0.10, --secure-port=6443, --tls-cert-file=/a.crt]", probeAt),
			"https://10.0.0.10:6443/readyz", "tls-cert-file"},
		{"API server without flags", manifestOf("kube-apiserver", "[kube-apiserver]", ""), "https://127.0.0.1:6443/readyz", ""},
		{"API server behind a shell", manifestOf("kube-apiserver", "[sh, -c, exec kube-apiserver --secure-port=7]", probeAt), "https://10.0.0.10:8443/readyz", ""},
		{"bound elsewhere than asked", manifestOf("kube-apiserver", "[kube-apiserver, --bind-address=192.0.2.1]", probeAt), "https://192.0.2.1:8443/readyz", ""},
		{"the last flag counts", manifestOf("kube-apiserver", "[kube-apiserver, --secure-port=1]", "    args: [--secure-port, '2']"), "https://127.0.0.1:2/readyz", ""},
		{"controller manager", manifestOf("kube-controller-manager", "[kube-controller-manager, '--bind-address=::']", ""), "https://[::1]:10257/healthz", ""},
		{"scheduler, port as a number", manifestOf("kube-scheduler", "[kube-scheduler, --leader-elect, --bind-address=0.0.0.0]", probeInt), "https://127.0.0.1:8443/healthz", ""},
		{"scheduler, probe without a port", manifestOf("kube-scheduler", "[kube-scheduler]", "    livenessProbe: {httpGet: {port: nobody}}"), "https://127.0.0.1:10259/healthz", ""},
		{"known by its program", strings.Replace(manifestOf("kube-scheduler", "[/usr/local/bin/kube-scheduler]", ""), "name: kube-scheduler\n", "name: main\n", 1), "https://127.0.0.1:10259/healthz", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := testPod(t, tt.manifest).listener(dir)
			if err != nil {
				t.Fatal(err)
			}
			if l.URL != tt.url || l.CertFlag != tt.cert || !strings.Contains(l.URL, l.Address) {
				t.Errorf("url %q, address %q, certificate %q; want %q and %q", l.URL, l.Address, l.CertFlag, tt.url, tt.cert)
			}
		})
	}
}

func TestListenerUnclear(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, manifest, want string }{
		{"no port", manifestOf("kube-scheduler", "[kube-scheduler, --secure-port=0]", ""), `port "0" is none`},
		{"port out of range", manifestOf("kube-apiserver", "[kube-apiserver, --secure-port=65536]", ""), `port "65536" is none`},
		{"no host", manifestOf("kube-apiserver", "[kube-apiserver, '--bind-address=[']", ""), `"[" is no host`},
		{"URL without a port", manifestOf("etcd", "[etcd, '--listen-client-urls=https://127.0.0.1']", ""), "no URL with a port"},
		{"socket", manifestOf("etcd", "[etcd, '--listen-client-urls=unix://localhost:1']", ""), "no URL with a port"},
		{"no client certificate", manifestOf("etcd", "[etcd, '--listen-client-urls=https://127.0.0.1:1', --trusted-ca-file=/ca.crt]", ""), "etcd cannot be asked for its health"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := testPod(t, tt.manifest).listener(t.TempDir()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestFindStaticPods(t *testing.T) {
	t.Parallel()
	etcd := manifestOf("etcd", "[etcd]", "")
	for _, tt := range []struct {
		name  string
		files map[string]string
		found string // files of the components that are there, in order
		err   string
	}{
		{name: "kubeadm's names", files: map[string]string{"etcd.yaml": etcd, "kube-scheduler.yaml": manifestOf("kube-scheduler", "[x]", "")}, found: "etcd.yaml kube-scheduler.yaml"},
		{name: "other names", files: map[string]string{"10-store.manifest": etcd}, found: "10-store.manifest"},
		{name: "JSON", files: map[string]string{"etcd.json": `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"etcd"}]}}`}, found: "etcd.json"},
		{name: "nothing", err: ""},
		{name: "foreign files", files: map[string]string{"notes.txt": "hello", "broken.yaml": ":\n\t{", "list.yaml": "kind: List", ".etcd.yaml.swp": etcd, "coredns.yaml": manifestOf("coredns", "[coredns]", "")}},
		{name: "two that run it", files: map[string]string{"etcd.yaml": etcd, "etcd.yaml.bak": etcd}, err: `both "etcd.yaml" and "etcd.yaml.bak"`},
		{name: "broken", files: map[string]string{"etcd.yaml": "kind: [Pod"}, err: "cannot be read"},
		{name: "no Pod", files: map[string]string{"kube-apiserver.yaml": "kind: Deployment"}, err: "it is no Pod"},
		{name: "wrong type", files: map[string]string{"etcd.yaml": strings.Replace(etcd, "[etcd]", "{a: b}", 1)}, err: "cannot be read"},
		{name: "huge", files: map[string]string{"etcd.yaml": strings.Repeat("#", 5<<20)}, err: "larger than 4 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "etcd.yaml.d"), 0o700); err != nil {
				t.Fatal(err)
			}
			for name, data := range tt.files {
				testWrite(t, filepath.Join(dir, name), []byte(data))
			}
			pods, err := findStaticPods(dir, staticPods)
			var found []string
			for _, component := range staticPods {
				if pods[component] != nil {
					found = append(found, pods[component].file)
				}
			}
			if tt.err == "" && (err != nil || strings.Join(found, " ") != tt.found) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("found %q, %v; want %q, %q", found, err, tt.found, tt.err)
			}
		})
	}
}

// FuzzStaticPod has any manifest say where its components listen: what comes of
// it can be dialled, or is an error.
func FuzzStaticPod(f *testing.F) {
	f.Add([]byte(manifestOf("etcd", "[etcd, '--listen-client-urls=https://127.0.0.1:2379,https://10.0.0.10:2379', --cert-file=/s.crt]", "")))
	f.Add([]byte(manifestOf("kube-apiserver", "[kube-apiserver, --secure-port, '1', --bind-address=::]", probeAt)))
	f.Add([]byte(manifestOf("kube-scheduler", "[kube-scheduler, --, -, --=]", probeInt)))
	f.Add([]byte(`{"kind":"Pod","spec":{"containers":[{"name":"etcd","env":[{"name":"ETCD_CERT_FILE","value":"/x"}],"volumeMounts":[{"mountPath":"/"}]}]}}`))
	f.Add([]byte(manifestOf("kube-apiserver", "[kube-apiserver, '--bind-address=a b]', --secure-port=1]", "")))
	f.Add([]byte("kind: Pod\nspec: {containers: [{}, null]}"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		pod, err := staticpod.Parse(data)
		if err != nil {
			return
		}
		for _, component := range staticPods {
			found := staticpod.Find(pod, component)
			if found == nil {
				continue
			}
			p := &staticPod{found, "m.yaml"}
			checkHostFiles(t, p)
			l, err := p.listener(dir)
			if err != nil {
				continue
			}
			if _, _, err := net.SplitHostPort(l.Address); err != nil || !strings.HasPrefix(l.URL, "http") {
				t.Errorf("address %q, URL %q: %v", l.Address, l.URL, err)
			}
		}
	})
}

// checkHostFiles checks that only hostPath volumes lead to the host.
func checkHostFiles(t *testing.T, p *staticPod) {
	t.Helper()
	hasHostPath := slices.ContainsFunc(p.Pod.Spec.Volumes, func(v corev1.Volume) bool { return v.HostPath != nil })
	for flag := range p.Flags {
		if file, ok := p.HostFile(flag); ok && !hasHostPath {
			t.Errorf("--%s is %q of the host", flag, file)
		}
	}
}
