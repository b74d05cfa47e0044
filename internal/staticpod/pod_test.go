package staticpod

import (
	"path/filepath"
	"testing"
)

// find decodes a manifest of etcd with more fields of its container.
func find(t *testing.T, more string) *Component {
	t.Helper()
	pod, err := Parse([]byte("kind: Pod\nspec:\n  containers:\n  - name: etcd\n" + more))
	if err != nil {
		t.Fatal(err)
	}
	return Find(pod, "etcd")
}

func TestHostFile(t *testing.T) {
	t.Parallel()
	const mounts = `    volumeMounts:
    - {name: pki, mountPath: /etc/kubernetes/pki/}
    - {name: etcd, mountPath: /etc/kubernetes/pki/etcd}
    - {name: conf, mountPath: /conf/file}
    - {name: sub, mountPath: /sub, subPath: below}
    - {name: expr, mountPath: /expr, subPathExpr: $(X)}
    - {name: memory, mountPath: /memory}
  volumes:
  - {name: pki, hostPath: {path: /host/pki}}
  - {name: etcd, hostPath: {path: /host/etcd}}
  - {name: conf, hostPath: {path: /host/the.conf}}
  - {name: sub, hostPath: {path: /host/sub}}
  - {name: expr, hostPath: {path: /host/expr}}
  - {name: memory, emptyDir: {}}`
	for file, want := range map[string]string{
		"/etc/kubernetes/pki/apiserver.crt":      "/host/pki/apiserver.crt",
		"/etc/kubernetes/pki/etcd/server.crt":    "/host/etcd/server.crt",
		"/etc/kubernetes/pki/etcd/../etcd/s.crt": "/host/etcd/s.crt",
		"/etc/kubernetes/pki2/x":                 "",
		"/conf/file":                             "/host/the.conf",
		"/sub/x":                                 "/host/sub/below/x",
		"/expr/x":                                "",
		"/memory/x":                              "",
		"relative.crt":                           "",
		"":                                       "",
	} {
		pod := find(t, "    command: [etcd, '--cert-file="+file+"']\n"+mounts)
		if got, ok := pod.HostFile("cert-file"); filepath.ToSlash(got) != want || ok != (want != "") {
			t.Errorf("%q is %q (%v), want %q", file, got, ok, want)
		}
	}
}
