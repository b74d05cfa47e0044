package apiserver

import (
	"slices"
	"strconv"
)

// fileChecks are about the manifests as files.
func fileChecks() []Check {
	var checks []Check
	for i, component := range []string{Component, componentControllerManager, componentScheduler, componentEtcd} {
		mode := Check{ID: fileID(2*i + 1), Title: "mode of the manifest", Wanted: "0600 or stricter", judge: judgeMode}
		owner := Check{ID: fileID(2*i + 2), Title: "owner of the manifest", Wanted: "root:root", judge: judgeOwner}
		checks = slices.Concat(checks, of(component, []Check{mode, owner}))
	}
	return checks
}

func fileID(n int) string { return "1.1." + strconv.Itoa(n) }

func controllerManagerChecks() []Check {
	return of(componentControllerManager, []Check{
		{ID: "1.3.1", Title: "pods that ended go", Wanted: "--terminated-pod-gc-threshold", Depends: true, flags: []string{"terminated-pod-gc-threshold"}, judge: areSet("terminated-pod-gc-threshold"),
			mend: fixFlag("terminated-pod-gc-threshold", "10")},
		{ID: "1.3.2", Title: "no profiling", Wanted: "--profiling=false", flags: []string{"profiling"}, judge: isBool("profiling", true, false), mend: fixFlag("profiling", "false")},
		{ID: "1.3.3", Title: "a credential for each controller", Wanted: "--use-service-account-credentials=true", flags: []string{"use-service-account-credentials"},
			judge: isBool("use-service-account-credentials", false, true), mend: fixFlag("use-service-account-credentials", "true")},
		{ID: "1.3.4", Title: "the key that signs tokens", Wanted: "--service-account-private-key-file", flags: []string{"service-account-private-key-file"},
			judge: areSet("service-account-private-key-file"), mend: fixFlag("service-account-private-key-file", "PATH")},
		{ID: "1.3.5", Title: "the CA that pods are given", Wanted: "--root-ca-file", flags: []string{"root-ca-file"}, judge: areSet("root-ca-file"), mend: fixFlag("root-ca-file", "PATH")},
		{ID: "1.3.6", Title: "kubelets renew serving certificates", Wanted: "no --feature-gates=RotateKubeletServerCertificate=false", flags: []string{"feature-gates"}, judge: judgeRotation,
			mend: fixHint("take RotateKubeletServerCertificate=false out of --feature-gates")},
		{ID: "1.3.7", Title: "it listens on loopback", Wanted: "--bind-address=127.0.0.1", flags: []string{"bind-address"}, judge: judgeLoopback, mend: fixFlag("bind-address", "127.0.0.1")},
	})
}

func schedulerChecks() []Check {
	return of(componentScheduler, []Check{
		{ID: "1.4.1", Title: "no profiling", Wanted: "--profiling=false, or enableProfiling: false in the file of --config", flags: []string{"profiling", "config"}, judge: judgeSchedulerProfiling, mend: fixFlag("profiling", "false")},
		{ID: "1.4.2", Title: "it listens on loopback", Wanted: "--bind-address=127.0.0.1", flags: []string{"bind-address"}, judge: judgeLoopback, mend: fixFlag("bind-address", "127.0.0.1")},
	})
}

func etcdChecks() []Check {
	return of(componentEtcd, []Check{
		{ID: "2.1", Title: "a serving certificate", Wanted: "--cert-file and --key-file", flags: []string{"cert-file", "key-file"}, judge: areSet("cert-file", "key-file"), mend: fixFlag("cert-file", "PATH", "key-file", "PATH")},
		{ID: "2.2", Title: "clients have certificates", Wanted: "--client-cert-auth=true", flags: []string{"client-cert-auth"}, judge: isBool("client-cert-auth", false, true), mend: fixFlag("client-cert-auth", "true")},
		{ID: "2.3", Title: "no certificates of its own making", Wanted: "no --auto-tls=true", flags: []string{"auto-tls"}, judge: isBool("auto-tls", false, false), mend: fixFlag("auto-tls", "false")},
		{ID: "2.4", Title: "a certificate for peers", Wanted: "--peer-cert-file and --peer-key-file", flags: []string{"peer-cert-file", "peer-key-file"}, judge: areSet("peer-cert-file", "peer-key-file"),
			mend: fixFlag("peer-cert-file", "PATH", "peer-key-file", "PATH")},
		{ID: "2.5", Title: "peers have certificates", Wanted: "--peer-client-cert-auth=true", flags: []string{"peer-client-cert-auth"}, judge: isBool("peer-client-cert-auth", false, true), mend: fixFlag("peer-client-cert-auth", "true")},
		{ID: "2.6", Title: "none of its own making for peers", Wanted: "no --peer-auto-tls=true", flags: []string{"peer-auto-tls"}, judge: isBool("peer-auto-tls", false, false), mend: fixFlag("peer-auto-tls", "false")},
		{ID: "2.7", Title: "a CA of its own", Wanted: "--trusted-ca-file with another CA than --client-ca-file of kube-apiserver", flags: []string{"trusted-ca-file"}, judge: judgeEtcdCA,
			mend: fixHint("make one with: pkictl cluster init, which gives etcd a CA of its own")},
	})
}

// auditChecks are about the policy of kube-apiserver.
func auditChecks() []Check {
	return of(Component, []Check{
		{ID: "3.2.1", Title: "an audit policy", Wanted: "--audit-policy-file with a policy that kube-apiserver can read", flags: []string{"audit-policy-file"}, judge: judgePolicy, mend: fixAuditLog()},
		{ID: "3.2.2", Title: "what the policy covers", flags: []string{"audit-policy-file"}, judge: judgePolicyRules, mend: fixAuditLog(),
			Wanted: "secrets logged, and they, configmaps and tokens without bodies; changes of pods and deployments; exec, port-forward and proxies"},
	})
}
