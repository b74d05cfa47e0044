// Package cluster runs a Kubernetes control plane (etcd, kube-apiserver and,
// on request, kube-controller-manager) as plain processes on 127.0.0.1.
//
// The binaries are the real ones; nothing is simulated. What they are given is
// a PKI directory with kubeadm's file names, so a control plane that comes up
// is also the proof that the directory is right.
//
// Start runs the processes. Up runs a whole cluster directory by it: it checks all
// files before, makes kubeadm's bootstrap bindings after, and writes a kubeconfig.
// Launch has another process do so, a keeper, which stays when this one ends.
package cluster
