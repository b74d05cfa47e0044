package audit

import (
	"slices"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// Users that are parts of a control plane.
const (
	userAPIServer  = "system:apiserver"
	userController = "system:kube-controller-manager"
	userScheduler  = "system:kube-scheduler"
	userProxy      = "system:kube-proxy"
	groupNodes     = "system:nodes"
	endpointUser   = "system:serviceaccount:kube-system:endpoint-controller"
	sliceUser      = "system:serviceaccount:kube-system:endpointslice-controller"
	mirrorUser     = "system:serviceaccount:kube-system:endpointslicemirroring-controller"
)

func minimalRules() []rule {
	return slices.Concat([]rule{intoPods()}, heartbeats(), []rule{
		{why: "Questions about rights and tokens: they change nothing.", PolicyRule: internal.PolicyRule{
			Level: internal.LevelNone, Verbs: []string{"create"}, Resources: []internal.GroupResources{
				{Group: "authorization.k8s.io"}, {Group: "authentication.k8s.io"},
			},
		}},
		{why: "Who changed what, and when, without what was sent.", PolicyRule: internal.PolicyRule{Level: internal.LevelMetadata, Verbs: changes}},
		{why: "Reads are not logged, not even those of Secrets: choose cis for them.", PolicyRule: internal.PolicyRule{Level: internal.LevelNone}},
	})
}

func cisRules() []rule {
	return slices.Concat([]rule{guard(), intoPods()}, heartbeats(), controlPlaneReads(), []rule{
		{
			why: "CIS 3.2.2: changes of pods, deployments and what else makes pods, with what was sent: it shows the image and whether a container is privileged. A password that stands in env is logged with it, so keep those in Secrets.",
			PolicyRule: internal.PolicyRule{Level: internal.LevelRequest, Verbs: changes, Resources: []internal.GroupResources{
				resources("", "pods", "pods/binding", "pods/ephemeralcontainers", "pods/eviction", "pods/resize", "replicationcontrollers", "replicationcontrollers/scale"),
				resources("apps", "daemonsets", "deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets", "statefulsets/scale"),
				resources("batch", "cronjobs", "jobs"),
			}},
		},
		{
			why: "Changes of who may do what, and of what looks at each request, with what was sent: how an intruder stays.",
			PolicyRule: internal.PolicyRule{Level: internal.LevelRequest, Verbs: changes, Resources: []internal.GroupResources{
				resources("", "namespaces", "serviceaccounts"),
				{Group: "rbac.authorization.k8s.io"}, {Group: "admissionregistration.k8s.io"},
				resources("apiregistration.k8s.io", "apiservices"),
				resources("certificates.k8s.io", "certificatesigningrequests", "certificatesigningrequests/approval"),
				resources("networking.k8s.io", "networkpolicies"),
			}},
		},
		catchAll("All else, reads and custom resources with it: who, what and when (CIS 3.2.1 wants a policy that is at least this). What a custom resource holds is not known, so no body of one is logged."),
	})
}

func detailedRules() []rule {
	var groups []internal.GroupResources
	for _, group := range groupNames() {
		groups = append(groups, internal.GroupResources{Group: group})
	}
	return slices.Concat([]rule{guard(), intoPods()}, heartbeats(), controlPlaneReads(), []rule{
		{why: "What kubelets say of their pods, over and over.", PolicyRule: internal.PolicyRule{
			Level: internal.LevelMetadata, UserGroups: []string{groupNodes}, Resources: []internal.GroupResources{resources("", "pods/status")},
		}},
		{
			why:        "All changes of Kubernetes' own resources, with what was sent and what came of it; of what is deleted, the answer is its last state.",
			PolicyRule: internal.PolicyRule{Level: internal.LevelRequestResponse, Verbs: changes, Resources: groups},
		},
		catchAll("All else: reads, whose answers would be most of the log, and custom resources, of which nobody knows what they hold."),
	})
}

func examRules() []rule {
	return []rule{
		guard(),
		{why: "Who deletes pods in prod-namespace, with what was there before.", PolicyRule: internal.PolicyRule{
			Level: internal.LevelRequestResponse, Verbs: []string{"delete", "deletecollection"},
			Resources: []internal.GroupResources{resources("", "pods")}, Namespaces: []string{"prod-namespace"},
		}},
		{why: "All that happens to namespaces, in full.", PolicyRule: internal.PolicyRule{
			Level: internal.LevelRequestResponse, Resources: []internal.GroupResources{resources("", "namespaces")},
		}},
		{why: "Changes of deployments in prod-namespace, with what was sent.", PolicyRule: internal.PolicyRule{
			Level: internal.LevelRequest, Verbs: changes,
			Resources: []internal.GroupResources{resources("apps", "deployments")}, Namespaces: []string{"prod-namespace"},
		}},
		catchAll("All else: who, what and when. Nothing is left out, so expect a large log."),
	}
}

func noRules() []rule {
	return []rule{catchAll("All else: who, what and when.")}
}

func guard() rule {
	return rule{
		why:        "Never the bodies of these, for they are secrets, or hold some (CIS 3.2.2). First, so that no rule below logs them. An error about a malformed apply of one may quote it: that is in the log at every level but None.",
		PolicyRule: internal.PolicyRule{Level: internal.LevelMetadata, Resources: guarded()},
	}
}

func catchAll(why string) rule {
	return rule{why: why, PolicyRule: internal.PolicyRule{Level: internal.LevelMetadata}}
}

// intoPods are the ways into pods and to kubelets. None of their bodies is an
// object, so none is ever logged.
func intoPods() rule {
	return rule{
		why: "CIS 3.2.2: who goes into pods, or through the API server to what listens in them and on nodes. The command of an exec stands in the request's URI, and so in the log, at every level but None.",
		PolicyRule: internal.PolicyRule{Level: internal.LevelMetadata, Resources: []internal.GroupResources{
			resources("", "pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy", "nodes/proxy"),
		}},
	}
}

// heartbeats are what the parts of a cluster do over and over, whatever happens.
func heartbeats() []rule {
	none := func(why string, r internal.PolicyRule) rule {
		r.Level = internal.LevelNone
		return rule{why: why, PolicyRule: r}
	}
	leases := []internal.GroupResources{resources("coordination.k8s.io", "leases", "leasecandidates")}
	return []rule{
		none("Probes, discovery and metrics: nothing is read there that kubectl does not read before each command.", internal.PolicyRule{
			Verbs:           []string{"get"},
			NonResourceURLs: []string{"/healthz*", "/livez*", "/readyz*", "/version", "/version/", "/metrics", "/metrics/*", "/api*", "/openapi*"},
		}),
		none("Each part of the control plane renews its lease every two seconds, or so.", internal.PolicyRule{
			Users: []string{userAPIServer, userController, userScheduler}, Resources: leases,
		}),
		none("Each node renews its lease every ten seconds.", internal.PolicyRule{UserGroups: []string{groupNodes}, Resources: leases}),
		none("Each node says every few minutes how it is. Its labels and taints are not in the status, and are logged.", internal.PolicyRule{
			UserGroups: []string{groupNodes}, Verbs: []string{"get", "patch", "update"}, Resources: []internal.GroupResources{resources("", "nodes/status")},
		}),
		none("Events are a log of their own. Who deletes them is logged.", internal.PolicyRule{
			Verbs:     slices.Concat(reads, []string{"create", "update", "patch"}),
			Resources: []internal.GroupResources{resources("", "events"), resources("events.k8s.io", "events")},
		}),
		none("Endpoints follow the pods, which are logged.", internal.PolicyRule{
			Users:     []string{userAPIServer, endpointUser, sliceUser, mirrorUser},
			Resources: []internal.GroupResources{resources("", "endpoints"), resources("discovery.k8s.io", "endpointslices")},
		}),
		none("What the API server keeps up to date for itself: its queues and its ranges of addresses.", internal.PolicyRule{
			Users: []string{userAPIServer}, Resources: []internal.GroupResources{
				{Group: "flowcontrol.apiserver.k8s.io"}, {Group: "internal.apiserver.k8s.io"},
				resources("networking.k8s.io", "ipaddresses", "servicecidrs", "servicecidrs/status"),
			},
		}),
	}
}

// controlPlaneReads are reads of parts that read all, all the time.
func controlPlaneReads() []rule {
	return []rule{
		{why: "What kube-proxy follows on each node.", PolicyRule: internal.PolicyRule{
			Level: internal.LevelNone, Users: []string{userProxy}, Verbs: reads, Resources: []internal.GroupResources{
				resources("", "nodes", "services", "endpoints"), resources("discovery.k8s.io", "endpointslices"), resources("networking.k8s.io", "servicecidrs"),
			},
		}},
		{why: "The control plane reads all there is, all the time. Who has stolen one of these identities reads unseen, but for what stands above.", PolicyRule: internal.PolicyRule{
			Level: internal.LevelNone, Users: []string{userAPIServer, userController, userScheduler}, Verbs: reads,
		}},
		{why: "Each kubelet looks at its own node and pods, and at what they need; NodeRestriction and the Node authorizer keep it to those.", PolicyRule: internal.PolicyRule{
			Level: internal.LevelNone, UserGroups: []string{groupNodes}, Verbs: reads, Resources: []internal.GroupResources{
				resources("", "nodes", "pods", "services"), resources("node.k8s.io", "runtimeclasses"), resources("storage.k8s.io", "csidrivers", "csinodes"),
			},
		}},
	}
}
