package cluster

import (
	"slices"
	"strings"
	"testing"
)

func TestRestartOrder(t *testing.T) {
	t.Parallel()
	var all []string // in the order of the layout
	for _, e := range Layout() {
		if e.Kind == KindLeaf || e.Kind == KindKubeconfig {
			all = append(all, e.Name)
		}
	}
	for _, tt := range []struct {
		name    string
		renewed []string
		want    string // components in order, those that must with an exclamation mark
		pods    string
	}{
		{"all", all, "etcd kube-apiserver kube-controller-manager! kube-scheduler! kubelet! - -", "etcd kube-apiserver kube-controller-manager kube-scheduler"},
		{"nothing", nil, "", ""},
		{"what etcd reads by itself", []string{"etcd/peer"}, "etcd", "etcd"},
		{"several of one component", []string{"front-proxy-client", "apiserver-etcd-client", "apiserver"}, "kube-apiserver", "kube-apiserver"},
		{"a kubeconfig that is read at the start", []string{"scheduler.conf"}, "kube-scheduler!", "kube-scheduler"},
		{"the kubelet is no static pod", []string{"kubelet.conf"}, "kubelet!", ""},
		{"nobody holds them", []string{"admin.conf", "etcd/healthcheck-client"}, "- -", ""},
		{"what is not renewed", []string{"jane", "etcd", "apiserver.crt", "ca", "sa"}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			order := RestartOrder(tt.renewed)
			var got, files []string
			for _, r := range order {
				word := r.Component
				if word == "" {
					word = "-"
				}
				if r.Must {
					word += "!"
				}
				got = append(got, word)
				files = append(files, r.Files...)
				if r.Why == "" || r.Component != "" && r.How == "" {
					t.Errorf("%+v does not say why and how", r)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("order is %q, want %q", strings.Join(got, " "), tt.want)
			}
			if pods := strings.Join(StaticPods(order), " "); pods != tt.pods {
				t.Errorf("static pods are %q, want %q", pods, tt.pods)
			}
			slices.Sort(files)
			if known := slices.DeleteFunc(slices.Sorted(slices.Values(tt.renewed)), func(f string) bool { return !slices.Contains(all, f) }); !slices.Equal(files, known) {
				t.Errorf("the files are %q, want %q", files, known)
			}
		})
	}
}
