package apiserver

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Checks returns all checks in the order of the benchmark. The caller does not
// change them.
//
// Not in it: 1.1.9 and 1.1.10 (CNI), 1.1.11 and 1.1.12 (etcd's data), which are no
// matter of manifests; 1.1.13 to 1.1.21, which cluster check looks at; and 3.1,
// which is about people.
var Checks = sync.OnceValue(func() []Check {
	return slices.Concat(fileChecks(), serverChecks(), controllerManagerChecks(), schedulerChecks(), etcdChecks(), auditChecks())
})

// isPKICheck says whether a number is that of a check about the files of the PKI.
func isPKICheck(id string) bool {
	last, is := strings.CutPrefix(id, "1.1.")
	n, err := strconv.Atoi(last)
	return is && err == nil && n >= 13 && n <= 21
}

// Section returns the section that the check is in, and what that is called.
func (c Check) Section() (id, title string) {
	for _, s := range [][2]string{
		{"1.1", "Files"}, {"1.2", "API server"}, {"1.3", "Controller manager"}, {"1.4", "Scheduler"}, {"2", "etcd"}, {"3.2", "Audit policy"},
	} {
		if c.isBelow(s[0]) {
			return s[0], s[1]
		}
	}
	return "", ""
}

// isBelow says whether the check is the one of an ID, or in the section of it.
func (c Check) isBelow(id string) bool { return c.ID == id || strings.HasPrefix(c.ID, id+".") }

// isAboutFile says whether it is about the manifest itself, not what it says.
func (c Check) isAboutFile() bool { return c.isBelow("1.1") }

// serverChecks are about the flags of kube-apiserver.
func serverChecks() []Check {
	checks := []Check{
		{ID: "1.2.1", Title: "no anonymous requests", Wanted: "--anonymous-auth=false, or an authentication configuration that has them at health checks alone",
			flags: []string{"anonymous-auth", "authentication-config"}, judge: judgeAnonymous, mend: fixAnonymous()},
		{ID: "1.2.2", Title: "no file of static tokens", Wanted: "no --token-auth-file",
			flags: []string{"token-auth-file"}, judge: isAbsent("token-auth-file"),
			mend: fixRemove("token-auth-file").with("who has a token of that file is locked out: give them another credential first, as pkictl user add does")},
		{ID: "1.2.3", Title: "no external IPs of Services", Wanted: "the admission plugin DenyServiceExternalIPs", Depends: true,
			flags: admissionFlags(), judge: isEnabled("DenyServiceExternalIPs", false), mend: fixPlugin("DenyServiceExternalIPs").with("Services that use externalIPs can no longer be changed")},
		{ID: "1.2.4", Title: "a client certificate for kubelets", Wanted: "--kubelet-client-certificate and --kubelet-client-key",
			flags: []string{"kubelet-client-certificate", "kubelet-client-key"}, judge: areSet("kubelet-client-certificate", "kubelet-client-key"),
			mend: fixHint("give both with: pkictl apiserver patch --kubelet-client-certificate PATH --kubelet-client-key PATH")},
		{ID: "1.2.5", Title: "kubelets are verified", Wanted: "--kubelet-certificate-authority",
			flags: []string{"kubelet-certificate-authority"}, judge: areSet("kubelet-certificate-authority"), mend: fixKubeletCA()},
		{ID: "1.2.6", Title: "not everything is authorized", Wanted: "no authorizer AlwaysAllow",
			flags: authorizerFlags(), judge: judgeAlwaysAllow, mend: fixModes()},
		{ID: "1.2.7", Title: "nodes are authorized as such", Wanted: "the authorizer Node", flags: authorizerFlags(), judge: hasAuthorizer("Node"), mend: fixModes()},
		{ID: "1.2.8", Title: "authorization by roles", Wanted: "the authorizer RBAC", flags: authorizerFlags(), judge: hasAuthorizer("RBAC"), mend: fixModes()},
		{ID: "1.2.9", Title: "limits for events", Wanted: "the admission plugin EventRateLimit", Depends: true, flags: admissionFlags(),
			judge: isEnabled("EventRateLimit", false), mend: fixHint("it needs limits in a file: --enable-admission-plugins EventRateLimit --admission-control-config-file PATH")},
		{ID: "1.2.10", Title: "not everything is admitted", Wanted: "no admission plugin AlwaysAdmit", flags: admissionFlags(), judge: isNotEnabled("AlwaysAdmit"),
			mend: fixHint("take AlwaysAdmit out of --enable-admission-plugins")},
		{ID: "1.2.11", Title: "images are always pulled", Wanted: "the admission plugin AlwaysPullImages", Depends: true, flags: admissionFlags(),
			judge: isEnabled("AlwaysPullImages", false), mend: fixPlugin("AlwaysPullImages").with("no pod starts while its registry is away")},
		{ID: "1.2.12", Title: "pods get a service account", Wanted: "the admission plugin ServiceAccount", flags: admissionFlags(), judge: isEnabled("ServiceAccount", true),
			mend: fixHint("take ServiceAccount out of --disable-admission-plugins")},
		{ID: "1.2.13", Title: "nothing comes to namespaces that go", Wanted: "the admission plugin NamespaceLifecycle", flags: admissionFlags(), judge: isEnabled("NamespaceLifecycle", true),
			mend: fixHint("take NamespaceLifecycle out of --disable-admission-plugins")},
		{ID: "1.2.14", Title: "a node changes itself alone", Wanted: "the admission plugin NodeRestriction", flags: admissionFlags(), judge: isEnabled("NodeRestriction", false), mend: fixPlugin("NodeRestriction")},
		{ID: "1.2.15", Title: "no profiling", Wanted: "--profiling=false", flags: []string{"profiling"}, judge: isBool("profiling", true, false), mend: fixSet("profiling", "false")},
		{ID: "1.2.16", Title: "an audit log", Wanted: "--audit-log-path with a file that outlives the container", flags: []string{"audit-log-path"}, judge: judgeAuditLog, mend: fixAuditLog()},
		{ID: "1.2.17", Title: "days that audit logs stay", Wanted: "--audit-log-maxage of 30 or more", flags: []string{"audit-log-maxage"},
			judge: isAtLeast("audit-log-maxage", minAuditMaxAge, 366, 0), mend: fixAuditLimit("audit-log-maxage", minAuditMaxAge)},
		{ID: "1.2.18", Title: "audit logs that stay", Wanted: "--audit-log-maxbackup of 10 or more", flags: []string{"audit-log-maxbackup"},
			judge: isAtLeast("audit-log-maxbackup", minAuditMaxBackup, 100, 0), mend: fixAuditLimit("audit-log-maxbackup", minAuditMaxBackup)},
		{ID: "1.2.19", Title: "megabytes of an audit log", Wanted: "--audit-log-maxsize of 100 or more", flags: []string{"audit-log-maxsize"},
			judge: isAtLeast("audit-log-maxsize", minAuditMaxSize, 100, 100), mend: fixAuditLimit("audit-log-maxsize", minAuditMaxSize)},
		{ID: "1.2.20", Title: "requests do not wait for ever", Wanted: "--request-timeout above 0 and of 5 minutes at most", Depends: true, flags: []string{"request-timeout"},
			judge: judgeRequestTimeout, mend: fixSet("request-timeout", "60s")},
		{ID: "1.2.21", Title: "tokens of what was deleted end", Wanted: "--service-account-lookup=true", flags: []string{"service-account-lookup"},
			judge: isBool("service-account-lookup", true, true), mend: fixSet("service-account-lookup", "true")},
		{ID: "1.2.22", Title: "a key of its own for tokens", Wanted: "--service-account-key-file", flags: []string{"service-account-key-file"}, judge: areSet("service-account-key-file"),
			mend: fixHint("give the public key that tokens are verified with: pkictl apiserver patch --set service-account-key-file=PATH")},
		{ID: "1.2.23", Title: "a client certificate for etcd", Wanted: "--etcd-certfile and --etcd-keyfile", flags: []string{"etcd-certfile", "etcd-keyfile"}, judge: areSet("etcd-certfile", "etcd-keyfile"),
			mend: fixHint("give both with: pkictl apiserver patch --set etcd-certfile=PATH --set etcd-keyfile=PATH")},
		{ID: "1.2.24", Title: "a serving certificate", Wanted: "--tls-cert-file and --tls-private-key-file", flags: []string{"tls-cert-file", "tls-private-key-file"}, judge: areSet("tls-cert-file", "tls-private-key-file"),
			mend: fixHint("give both with: pkictl apiserver patch --tls-cert-file PATH --tls-private-key-file PATH")},
		{ID: "1.2.25", Title: "a CA for client certificates", Wanted: "--client-ca-file", flags: []string{"client-ca-file"}, judge: areSet("client-ca-file"),
			mend: fixHint("give it with: pkictl apiserver patch --client-ca-file PATH")},
		{ID: "1.2.26", Title: "etcd is verified", Wanted: "--etcd-cafile", flags: []string{"etcd-cafile"}, judge: areSet("etcd-cafile"),
			mend: fixHint("give it with: pkictl apiserver patch --set etcd-cafile=PATH")},
		{ID: "1.2.27", Title: "encryption at rest", Wanted: "--encryption-provider-config", flags: []string{"encryption-provider-config"}, judge: areSet("encryption-provider-config"), mend: fixEncryption()},
		{ID: "1.2.28", Title: "what encrypts secrets", Wanted: "for secrets the first provider is aescbc, kms or secretbox", flags: []string{"encryption-provider-config"}, judge: judgeEncryption, mend: fixEncryption()},
		{ID: "1.2.29", Title: "strong ciphers alone", Wanted: "--tls-cipher-suites with none but those of the benchmark, or TLS 1.3 alone", flags: []string{"tls-cipher-suites", "tls-min-version"},
			judge: judgeCiphers, mend: fixCiphers()},
		{ID: "1.2.30", Title: "tokens end when they say", Wanted: "--service-account-extend-token-expiration=false", flags: []string{"service-account-extend-token-expiration"},
			judge: isBool("service-account-extend-token-expiration", true, false), mend: fixTokenExpiration()},
	}
	return of(Component, checks)
}

func of(component string, checks []Check) []Check {
	for i := range checks {
		checks[i].Component = component
	}
	return checks
}

func admissionFlags() []string {
	return []string{"enable-admission-plugins", "disable-admission-plugins"}
}

func authorizerFlags() []string { return []string{"authorization-mode", "authorization-config"} }
