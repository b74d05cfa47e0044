package apiserver

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestEtcdAlone: a node that runs etcd alone says nothing of kube-apiserver's CA.
func TestEtcdAlone(t *testing.T) {
	t.Parallel()
	p := livePod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "etcd-a", Labels: map[string]string{"component": "etcd"}},
		Spec: corev1.PodSpec{NodeName: "a", Containers: []corev1.Container{{
			Name: "etcd", Command: []string{"etcd", "--trusted-ca-file=/ca.crt"},
		}}},
	})
	c := &cisChecker{pods: []*checkedPod{p}}
	checks, err := SelectChecks(CheckOptions{Only: []string{"2"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range c.run(checks) {
		if r.ID == "2.7" && r.Status != StatusUnknown {
			t.Errorf("%+v", r)
		}
	}
}
