package ca

import "strings"

// UserMeaning says what a common name means to Kubernetes that it keeps for
// itself, empty for all others. Issue makes such certificates: they are for the
// parts of a cluster.
func UserMeaning(name string) string {
	node, isNode := strings.CutPrefix(name, nodePrefix)
	account, isAccount := strings.CutPrefix(name, "system:serviceaccount:")
	switch {
	case !isReserved(name):
		return ""
	case isNode:
		return "the kubelet of node " + node + ", where its group is " + groupNodes
	case isAccount:
		return "the service account " + strings.Replace(account, ":", "/", 1) + ", which logs in with a token and not with a certificate"
	case name == "system:anonymous":
		return "whoever shows the API server no credential"
	case name == "system:kube-controller-manager", name == "system:kube-scheduler", name == "system:kube-proxy":
		return "that part of the cluster, with the rights of the ClusterRoleBinding that is called so or much like it"
	}
	return "a name that Kubernetes and kubeadm keep for parts of the cluster"
}

// GroupMeaning says what a group means to Kubernetes that it keeps for itself,
// empty for all others.
func GroupMeaning(name string) string {
	switch {
	case !isReserved(name):
		return ""
	case name == GroupMasters:
		return "passes every authorizer of the API server; nothing but a new CA takes it back"
	case name == groupNodes:
		return "kubelets: the Node authorizer lets them at what their pods need"
	case name == "kubeadm:cluster-admins":
		return "administrators: kubeadm binds it to cluster-admin, and that binding can be deleted"
	case name == "system:authenticated", name == "system:unauthenticated":
		return "the API server itself says who is in it; a certificate need not"
	case strings.HasPrefix(name, "system:serviceaccounts"):
		return "service accounts, which log in with a token"
	case strings.HasPrefix(name, "system:bootstrappers"):
		return "machines that ask for their first certificate"
	}
	return "a name that Kubernetes and kubeadm keep for parts of the cluster"
}
