// Package audit reads, makes and checks audit policies of kube-apiserver, says
// what a policy does with a request, and what it would have kept of a log. The
// decisions are those of k8s.io/apiserver's own evaluator.
//
// See https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/ and
// k8s.io/apiserver/pkg/apis/audit/v1.
package audit
