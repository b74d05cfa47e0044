package lab

// kind is a kind of check: its name in a lab.yaml, and what reads its parameters.
type kind struct {
	name string
	read func(p *params) (grader, error)
}

// kinds lists the kinds of checks by name. Each has a file of its own, check_NAME.go,
// whose reader says which parameters there are.
func kinds() []kind {
	return []kind{
		{"admission", readAdmissionCheck},
		{"answers", readAnswersCheck},
		{"appArmor", readAppArmorCheck},
		{"auditLog", readAuditLogCheck},
		{"auditPolicy", readAuditPolicyCheck},
		{"canI", readCanICheck},
		{"certificate", readCertificateCheck},
		{"confinement", readConfinementCheck},
		{"csr", readCSRCheck},
		{"encryption", readEncryptionCheck},
		{"etcd", readEtcdCheck},
		{"falco", readFalcoCheck},
		{"gatekeeper", readGatekeeperCheck},
		{"key", readKeyCheck},
		{"kubeconfig", readKubeconfigCheck},
		{"kubesec", readKubesecCheck},
		{"manifest", readManifestCheck},
		{"modprobe", readModprobeCheck},
		{"networkPolicy", readNetworkPolicyCheck},
		{"nginx", readNginxCheck},
		{"object", readObjectCheck},
		{"podSecurity", readPodSecurityCheck},
		{"rego", readRegoCheck},
		{"renewed", readRenewedCheck},
		{"seccomp", readSeccompCheck},
		{"served", readServedCheck},
		{"sshd", readSSHDCheck},
		{"staticPod", readStaticPodCheck},
		{"ufw", readUFWCheck},
	}
}

// CheckKinds lists the names of the kinds of checks.
func CheckKinds() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}
