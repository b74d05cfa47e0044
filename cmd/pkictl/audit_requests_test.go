package main_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pkictl/pkictl/apiserver/audit"
)

// secret returns a text that must be in no event.
func (s *auditedServer) secret() string {
	text := "secret" + rand.Text()
	s.secrets = append(s.secrets, text, base64.StdEncoding.EncodeToString([]byte(text)))
	return text
}

// addUsers adds who sends requests. Their certificates are in pki.
func (s *auditedServer) addUsers() {
	authenticated := "system:authenticated"
	s.addUser("admin", "admin", auditUser{name: "kube-admin", groups: []string{"system:masters", authenticated}})
	s.addUser("jane", "jane", auditUser{name: "jane", groups: []string{"developers", authenticated}})
	s.addUser("node", "node", auditUser{name: "system:node:n1", groups: []string{"system:nodes", authenticated}})
	for _, part := range []string{"kube-proxy", "kube-scheduler", "kube-controller-manager"} {
		s.addUser(part, part, auditUser{name: "system:" + part, groups: []string{authenticated}})
	}
	s.addUser("apiserver-itself", "itself", auditUser{name: "system:apiserver", groups: []string{"system:masters", authenticated}})
	s.addUser("endpoints", "endpoints", auditUser{name: "system:serviceaccount:kube-system:endpoint-controller", groups: []string{authenticated}})
	s.addUser("nobody", "", auditUser{name: "system:anonymous", groups: []string{"system:unauthenticated"}})
	s.addUser("stranger", "", auditUser{token: s.secret(), failed: true})
}

func object(kind, name, rest string) string {
	version := "v1"
	if kind, group, found := strings.Cut(kind, "."); found {
		return fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":%q}%s}`, group, kind, name, rest)
	}
	return fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":%q}%s}`, version, kind, name, rest)
}

const podSpec = `,"spec":{"containers":[{"name":"a","image":"example.com/a"}]}`

// sendAll sends requests of all kinds.
func (s *auditedServer) sendAll() {
	s.sendNamespaces()
	s.sendSecrets()
	s.sendPods()
	s.sendCustom()
	s.sendPaths()
	s.sendParts()
	s.sendWrong()
	s.sendEveryResource()
	s.sendWithKubectl()
}

func (s *auditedServer) sendNamespaces() {
	for _, name := range []string{"prod-namespace", "dev", "gone"} {
		s.send("admin", "POST", "/api/v1/namespaces", object("Namespace", name, ""))
	}
	s.send("admin", "GET", "/api/v1/namespaces", "")
	s.send("admin", "GET", "/api/v1/namespaces/dev", "")
	s.send("admin", "PATCH", "/api/v1/namespaces/dev", `{"metadata":{"labels":{"a":"b"}}}`, "Content-Type", "application/merge-patch+json")
	s.send("admin", "DELETE", "/api/v1/namespaces/gone", "")
	s.send("admin", "PUT", "/api/v1/namespaces/gone/finalize", object("Namespace", "gone", `,"spec":{"finalizers":[]}`))
	s.send("jane", "GET", "/api/v1/namespaces/dev", "")
	s.send("admin", "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", object("ClusterRoleBinding.rbac.authorization.k8s.io/v1", "jane",
		`,"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"User","name":"system:serviceaccount:dev:robot"}]`))
}

// sendSecrets handles what holds secrets, in all ways.
func (s *auditedServer) sendSecrets() {
	for _, place := range []string{"dev", "prod-namespace"} {
		secrets, maps := "/api/v1/namespaces/"+place+"/secrets", "/api/v1/namespaces/"+place+"/configmaps"
		for _, user := range []string{"admin", "jane"} {
			s.send(user, "POST", secrets, object("Secret", "s", `,"stringData":{"a":"`+s.secret()+`"}`))
			s.send(user, "POST", maps, object("ConfigMap", "m", `,"data":{"a":"`+s.secret()+`"}`))
			s.send(user, "PUT", secrets+"/s", object("Secret", "s", `,"stringData":{"a":"`+s.secret()+`"}`))
			s.send(user, "PATCH", secrets+"/s", `{"stringData":{"b":"`+s.secret()+`"}}`, "Content-Type", "application/strategic-merge-patch+json")
			s.send(user, "PATCH", maps+"/m", `[{"op":"add","path":"/data/c","value":"`+s.secret()+`"}]`, "Content-Type", "application/json-patch+json")
			s.send(user, "PATCH", secrets+"/t?fieldManager=me", object("Secret", "t", `,"stringData":{"a":"`+s.secret()+`"}`), "Content-Type", "application/apply-patch+yaml")
			s.send(user, "POST", secrets+"?dryRun=All", object("Secret", "dry", `,"stringData":{"a":"`+s.secret()+`"}`))
			for _, url := range []string{"/s", "", "/none", "?watch=true", "?labelSelector=a%3Db", "?fieldSelector=metadata.name%3Ds"} {
				s.send(user, "GET", secrets+url, "")
			}
			s.send(user, "GET", secrets, "", "Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
			s.send(user, "GET", maps+"/m", "")
			s.send(user, "GET", maps, "")
			s.send(user, "DELETE", maps+"/m", "")
			s.send(user, "DELETE", secrets+"/s", "")
			s.send(user, "DELETE", secrets+"/t?propagationPolicy=Foreground", "") // answers with it
			s.send(user, "DELETE", secrets, "")                                   // deletecollection
		}
	}
	s.send("admin", "GET", "/api/v1/watch/namespaces/dev/secrets", "")
	s.send("admin", "GET", "/api/v1/secrets", "")
	s.sendTokens()
}

func (s *auditedServer) sendTokens() {
	s.send("admin", "POST", "/api/v1/namespaces/dev/serviceaccounts", object("ServiceAccount", "robot", ""))
	answer := s.send("admin", "POST", "/api/v1/namespaces/dev/serviceaccounts/robot/token", `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`)
	var issued struct{ Status struct{ Token string } }
	ok(s.t, json.Unmarshal(answer, &issued))
	token := issued.Status.Token
	if token == "" {
		s.t.Fatalf("no token: %s", answer)
	}
	s.secrets = append(s.secrets, token)
	s.addUser("robot", "", auditUser{name: "system:serviceaccount:dev:robot", token: token,
		groups: []string{"system:serviceaccounts", "system:serviceaccounts:dev", "system:authenticated"}})
	review := `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"` + token + `"}}`
	// What is not served is not read, so that no rule has to guard it.
	s.send("jane", "POST", "/apis/authentication.k8s.io/v1/namespaces/dev/tokenreviews", review)
	s.send("jane", "PUT", "/api/v1/namespaces/dev/serviceaccounts/robot/token", review)
	for _, user := range []string{"admin", "jane", "robot"} {
		s.send(user, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
		s.send(user, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`)
		s.send(user, "GET", "/api/v1/namespaces/dev/serviceaccounts/robot", "")
	}
}

func (s *auditedServer) sendPods() {
	for _, place := range []string{"dev", "prod-namespace"} {
		pods, deployments := "/api/v1/namespaces/"+place+"/pods", "/apis/apps/v1/namespaces/"+place+"/deployments"
		for _, user := range []string{"admin", "jane", "robot"} {
			for _, name := range []string{"web-" + user, "cache-" + user} {
				s.send(user, "POST", pods, object("Pod", name, podSpec))
			}
			s.send(user, "GET", pods+"/web-"+user, "")
			s.send(user, "GET", pods+"?limit=1", "")
			s.send(user, "GET", pods+"?watch=1&timeoutSeconds=30", "")
			s.send(user, "PATCH", pods+"/web-"+user, `{"metadata":{"labels":{"a":"b"}}}`, "Content-Type", "application/merge-patch+json")
			s.send(user, "PATCH", pods+"/web-"+user+"/ephemeralcontainers", `{"spec":{"ephemeralContainers":[{"name":"e","image":"example.com/e"}]}}`, "Content-Type", "application/strategic-merge-patch+json")
			s.send(user, "POST", pods+"/web-"+user+"/eviction?dryRun=All", `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"web-`+user+`"}}`)
			for _, sub := range []string{"exec?command=id&stdout=1", "attach?stdout=1", "portforward"} {
				s.send(user, "POST", pods+"/web-"+user+"/"+sub, "")
				s.send(user, "GET", pods+"/web-"+user+"/"+sub, "", "Connection", "Upgrade", "Upgrade", "websocket",
					"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol", "v5.channel.k8s.io")
			}
			s.send(user, "GET", pods+"/web-"+user+"/log", "")
			s.send(user, "GET", pods+"/web-"+user+"/proxy/x", "")
			s.send(user, "POST", deployments, object("Deployment.apps/v1", "d-"+user,
				`,"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}}`+podSpec+`}}`))
			s.send(user, "GET", deployments+"/d-"+user+"/scale", "")
			s.send(user, "PATCH", deployments+"/d-"+user+"/scale", `{"spec":{"replicas":3}}`, "Content-Type", "application/merge-patch+json")
			s.send(user, "DELETE", deployments+"/d-"+user, `{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background"}`)
			s.send(user, "DELETE", pods+"/web-"+user+"?gracePeriodSeconds=0", "")
			s.send(user, "DELETE", pods+"?labelSelector=x%3Dy", "")
		}
		s.send("admin", "POST", "/api/v1/namespaces/"+place+"/services", object("Service", "web", `,"spec":{"ports":[{"port":80}]}`))
		s.send("admin", "GET", "/api/v1/namespaces/"+place+"/services/web/proxy/", "")
	}
	s.send("admin", "POST", "/api/v1/nodes", object("Node", "n1", ""))
	s.send("admin", "GET", "/api/v1/nodes/n1/proxy/pods", "")
	s.send("jane", "GET", "/api/v1/nodes/n1/proxy/pods", "")
}

func (s *auditedServer) sendCustom() {
	s.send("admin", "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", object("CustomResourceDefinition.apiextensions.k8s.io/v1", "widgets.example.com",
		`,"spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"widgets","singular":"widget","kind":"Widget"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}`))
	widgets := "/apis/example.com/v1/namespaces/dev/widgets"
	for strings.Contains(string(s.send("admin", "GET", widgets, "")), "404") {
	}
	for _, user := range []string{"admin", "jane"} {
		s.send(user, "POST", widgets, object("Widget.example.com/v1", "w", `,"spec":{"size":1}`))
		s.send(user, "GET", widgets+"/w", "")
		s.send(user, "PATCH", widgets+"/w", `{"spec":{"size":2}}`, "Content-Type", "application/merge-patch+json")
		s.send(user, "DELETE", widgets+"/w", "")
		s.send(user, "DELETE", widgets, "")
	}
}

func (s *auditedServer) sendPaths() {
	for _, path := range []string{"/healthz", "/healthz/etcd", "/livez", "/readyz?verbose", "/version", "/version/", "/metrics", "/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1",
		"/openapi/v2", "/openapi/v3", "/", "/logs/x", "/debug/pprof/", "/no/such/path", "/apis/no.such.group/v1/things", "/.well-known/openid-configuration"} {
		for _, user := range []string{"admin", "nobody", "stranger"} {
			s.send(user, "GET", path, "")
		}
	}
	s.send("admin", "HEAD", "/healthz", "")
	s.send("admin", "POST", "/version", "{}")
	s.send("admin", "OPTIONS", "/api/v1/namespaces/dev/pods", "")
	s.send("admin", "HEAD", "/api/v1/namespaces/dev/pods", "")
}

// sendParts does what the parts of a cluster do all the time.
func (s *auditedServer) sendParts() {
	leases := "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
	for _, user := range []string{"kube-proxy", "kube-scheduler", "kube-controller-manager", "node", "apiserver-itself", "endpoints", "admin"} {
		s.send(user, "GET", "/apis/networking.k8s.io/v1/ipaddresses", "")
		s.send(user, "PUT", "/api/v1/namespaces/dev/endpoints/e", object("Endpoints", "e", ""))
		s.send(user, "PATCH", "/apis/networking.k8s.io/v1/servicecidrs/kubernetes/status", `{"status":{}}`, "Content-Type", "application/merge-patch+json")
		s.send(user, "GET", "/apis/node.k8s.io/v1/runtimeclasses", "")
		s.send(user, "PATCH", "/api/v1/namespaces/dev/pods/web-admin/status", `{"status":{"phase":"Running"}}`, "Content-Type", "application/merge-patch+json")
		s.send(user, "POST", leases, object("Lease.coordination.k8s.io/v1", user, ""))
		s.send(user, "GET", leases+"/kube-scheduler", "")
		s.send(user, "PUT", leases+"/kube-scheduler", object("Lease.coordination.k8s.io/v1", "kube-scheduler", ""))
		s.send(user, "GET", "/api/v1/nodes?watch=true", "")
		s.send(user, "GET", "/apis/discovery.k8s.io/v1/endpointslices?watch=true", "")
		s.send(user, "GET", "/api/v1/secrets", "")
		s.send(user, "GET", "/api/v1/namespaces/kube-system/configmaps/x", "")
		s.send(user, "PATCH", "/api/v1/nodes/n1/status", `{"status":{"phase":"Running"}}`, "Content-Type", "application/merge-patch+json")
		s.send(user, "POST", "/api/v1/namespaces/dev/events", object("Event", "e", `,"involvedObject":{"namespace":"dev"}`))
		s.send(user, "DELETE", "/api/v1/namespaces/dev/events/e", "")
		s.send(user, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", `{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"user":"jane","nonResourceAttributes":{"path":"/","verb":"get"}}}`)
		s.send(user, "GET", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas", "")
	}
}

// sendWrong sends what is refused, and what is for somebody else.
func (s *auditedServer) sendWrong() {
	s.send("admin", "POST", "/api/v1/namespaces/dev/pods", "{not json")
	s.send("admin", "POST", "/api/v1/namespaces/dev/pods", object("Pod", "no-containers", ""))
	s.send("admin", "POST", "/api/v1/namespaces/dev/pods", "x", "Content-Type", "text/plain")
	s.send("admin", "POST", "/api/v1/namespaces/none/pods", object("Pod", "p", podSpec))
	s.send("admin", "PUT", "/api/v1/namespaces/dev/pods/none", object("Pod", "none", podSpec))
	s.send("admin", "PATCH", "/api/v1/namespaces/dev/pods/none", `{}`, "Content-Type", "application/merge-patch+json")
	s.send("admin", "DELETE", "/api/v1/namespaces/dev/pods/none", "")
	s.send("admin", "POST", "/api/v1/namespaces/dev/secrets/s/no-such-sub", s.secret())
	s.send("admin", "PUT", "/api/v1/nodes/n1/no-such-sub", `{}`)
	s.send("admin", "GET", "/api/v1/watch", "")
	s.send("admin", "GET", "/api/v1/namespaces/dev/Secrets", "")
	s.send("admin", "POST", "/api/v1/namespaces/dev/secrets", object("Secret", "w", `,"data":{"a":"`+s.secret()+`!"}`)) // no base64
	s.send("admin", "POST", "/api/v1/namespaces/dev/secrets", object("Secret", "w", `,"stringData":{"a":["`+s.secret()+`"]}`))
	s.send("admin", "POST", "/api/v1/namespaces/dev/secrets", object("Secret", "w", `,"type":"kubernetes.io/dockerconfigjson","stringData":{".dockerconfigjson":"`+s.secret()+`"}`))
	s.quoted = "secret" + rand.Text()
	s.send("admin", "PATCH", "/api/v1/namespaces/dev/secrets/w?fieldManager=me", object("Secret", "w", `,"stringData":{"a":["`+s.quoted+`"]}`), "Content-Type", "application/apply-patch+yaml")
	s.send("admin", "PATCH", "/api/v1/namespaces/dev/secrets/s", `{"data":"`+s.secret()+`"}`, "Content-Type", "application/merge-patch+json")
	s.send("admin", "PATCH", "/api/v1/namespaces/dev/secrets/s", `[{"op":"test","path":"/data/a","value":"`+s.secret()+`"}]`, "Content-Type", "application/json-patch+json")
	for _, user := range []string{"nobody", "stranger"} {
		s.send(user, "GET", "/api/v1/namespaces/dev/secrets", "")
		s.send(user, "POST", "/api/v1/namespaces/dev/pods", object("Pod", "p", podSpec))
		s.send(user, "DELETE", "/api/v1/namespaces/prod-namespace/pods/p", "")
		s.send(user, "GET", "/api/v1/pods?watch=true", "")
	}
	s.send("admin", "GET", "/api/v1/namespaces/dev/pods", "", "Impersonate-User", "jane")
	s.send("admin", "DELETE", "/api/v1/namespaces/prod-namespace/pods/p", "", "Impersonate-User", "system:kube-scheduler")
	s.send("jane", "GET", "/api/v1/namespaces/dev/pods", "", "Impersonate-User", "kube-admin")
}

// sendEveryResource lists each resource, and gets one that is not there.
func (s *auditedServer) sendEveryResource() {
	for _, r := range audit.Resources() {
		name, sub, isSub := strings.Cut(r.Name, "/")
		url := "/apis/" + r.Group + "/" + r.Version
		if r.Group == "" {
			url = "/api/v1"
		}
		if r.Namespaced {
			url += "/namespaces/dev"
		}
		url += "/" + name
		if isSub {
			s.send("jane", "GET", url+"/none/"+sub, "")
			continue
		}
		s.send("admin", "GET", url, "")
		s.send("jane", "DELETE", url+"/none", "")
	}
}

func (s *auditedServer) sendWithKubectl() {
	deployment := object("Deployment.apps/v1", "k", `,"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}}`+podSpec+`}}`)
	s.sendKubectl("admin", object("Secret", "k", `,"stringData":{"a":"`+s.secret()+`"}`), "apply", "--namespace=dev")
	s.sendKubectl("admin", object("Secret", "k", `,"stringData":{"a":"`+s.secret()+`"}`), "apply", "--namespace=dev") // with last-applied
	s.sendKubectl("admin", object("ConfigMap", "k", `,"data":{"a":"`+s.secret()+`"}`), "apply", "--namespace=dev", "--server-side")
	s.sendKubectl("admin", deployment, "apply", "--namespace=prod-namespace")
	s.sendKubectl("admin", "", "scale", "--namespace=prod-namespace", "deployment/k", "--replicas=3")
	s.sendKubectl("admin", object("Pod", "k", podSpec), "create", "--namespace=prod-namespace")
	s.sendKubectl("admin", "", "exec", "--namespace=prod-namespace", "k", "--", "id")
	s.sendKubectl("jane", "", "get", "pods", "--namespace=prod-namespace")
	s.sendKubectl("admin", "", "get", "secrets", "--all-namespaces", "-o", "yaml")
	before := len(s.sent)
	s.sendKubectl("admin", "", "delete", "pods", "--all", "--namespace=prod-namespace", "--now")
	for _, r := range s.sent[before:] { // it lists, and deletes one by one
		if r.Verb == "deletecollection" {
			s.t.Errorf("kubectl delete --all sends %s", r.line)
		}
	}
	s.sendKubectl("admin", "", "auth", "can-i", "delete", "pods", "--as=jane")
}
