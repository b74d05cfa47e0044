package apiserver

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// Words for AuthenticationOptions.Anonymous beside paths.
const (
	anonymousNone   = "none"
	anonymousAll    = "all"
	anonymousProbes = "probes"
	anonymousJoin   = "join"
)

// probePaths are where the kubelet and load balancers ask without credentials
// (k8s.io/kubernetes/cmd/kubeadm/app/phases/controlplane/manifests.go).
var probePaths = []string{"/livez", "/readyz", "/healthz"}

// joinPath is what kubeadm join reads before it has credentials
// (k8s.io/kubernetes/cmd/kubeadm/app/discovery/token).
const joinPath = "/api/v1/namespaces/kube-public/configmaps/cluster-info"

// From these versions on kube-apiserver takes conditions for anonymous requests
// without a feature gate, and version v1 of the configuration
// (k8s.io/apiserver/pkg/features: AnonymousAuthConfigurableEndpoints,
// StructuredAuthenticationConfiguration).
var (
	anonymousPathsSince   = Version{1, 32}
	authenticationV1Since = Version{1, 34}
)

// authentication is about who somebody is.
func (p *planner) authentication() error {
	o := &p.Authentication
	if o.Config.Data != nil {
		if o.Anonymous != nil {
			return failure.New(failure.Usage, "say it in "+o.Config.Name, "--anonymous does not go with --authentication-config-from")
		}
		return p.authenticationFile()
	}
	if p.Hardened && o.Anonymous == nil && o.ConfigFile == "" && p.plan.Version.AtLeast(anonymousPathsSince) {
		o.Anonymous = []string{anonymousProbes, anonymousJoin}
	}
	switch {
	case o.Anonymous == nil:
		if o.ConfigFile != "" {
			p.file(File{Path: o.ConfigFile, Mode: 0o600, Why: "the authentication configuration"})
			p.remove(oidcFlags...)
		}
		return p.setPath("authentication-config", o.ConfigFile, "who somebody is")
	case len(o.Anonymous) == 1 && o.Anonymous[0] == anonymousAll:
		p.set("anonymous-auth", "true", "requests without credentials are those of system:anonymous")
		return nil
	case len(o.Anonymous) == 1 && o.Anonymous[0] == anonymousNone:
		p.set("anonymous-auth", "false", "requests without credentials are refused (CIS 1.2.1)")
		p.note("the kubelet's probes of /livez and /readyz have no credentials: a static pod of kubeadm would be restarted without end; --anonymous probes serves these alone")
		return nil
	}
	return p.anonymousPaths()
}

// oidcFlags do not stand beside --authentication-config
// (k8s.io/kubernetes/pkg/kubeapiserver/options/authentication.go, Validate).
var oidcFlags = []string{
	"oidc-ca-file", "oidc-client-id", "oidc-groups-claim", "oidc-groups-prefix", "oidc-issuer-url",
	"oidc-required-claim", "oidc-signing-algs", "oidc-username-claim", "oidc-username-prefix",
}

// anonymousPaths makes a configuration that serves some paths to anybody.
func (p *planner) anonymousPaths() error {
	o := &p.Authentication
	var paths []string
	for _, word := range o.Anonymous {
		switch {
		case word == anonymousProbes:
			paths = append(paths, probePaths...)
		case word == anonymousJoin:
			paths = append(paths, joinPath)
		case word == anonymousNone || word == anonymousAll:
			return failure.New(failure.Usage, "leave the others out", "--anonymous %s does not go with others", word)
		case !strings.HasPrefix(word, "/") || path.Clean(word) != word || strings.ContainsAny(word, "*?#% "):
			return failure.New(failure.Usage, "give none, all, probes, join, or paths like /livez; kube-apiserver compares all of a path, and knows no *", "--anonymous %q is no path", word)
		default:
			paths = append(paths, word)
		}
	}
	if !p.plan.Version.AtLeast(anonymousPathsSince) {
		return failure.New(failure.Usage, "take --anonymous all", "kube-apiserver %s cannot serve paths to anybody: that came with %s", p.plan.Version, anonymousPathsSince)
	}
	var b strings.Builder
	b.WriteString("apiVersion: " + p.authenticationVersion() + "\nkind: AuthenticationConfiguration\n")
	b.WriteString("# Requests without credentials are served at these paths, and refused elsewhere.\nanonymous:\n  enabled: true\n  conditions:\n")
	for _, path := range unique(paths) {
		b.WriteString("  - path: " + yamlText(path) + "\n")
	}
	o.ConfigFile = cmp.Or(o.ConfigFile, p.below("authentication-config.yaml"))
	p.file(File{Path: o.ConfigFile, Mode: 0o600, Data: []byte(b.String()), Why: "who may be anonymous where"})
	p.remove("anonymous-auth")
	p.note("scanners that look for --anonymous-auth=false alone will not see that anonymous requests are refused elsewhere")
	return p.setPath("authentication-config", o.ConfigFile, "requests without credentials are served at a few paths only (CIS 1.2.1)")
}

func (p *planner) authenticationVersion() string {
	if p.plan.Version.AtLeast(authenticationV1Since) {
		return configV1
	}
	return configV1beta1
}

// authenticationFile takes a configuration that was written elsewhere.
func (p *planner) authenticationFile() error {
	o := &p.Authentication
	keys, err := p.readConfig(o.Config, "AuthenticationConfiguration", []string{"jwt", "anonymous"}, p.plan.Version.AtLeast(authenticationV1Since))
	if err != nil {
		return err
	}
	if slices.Contains(keys, "anonymous") {
		if !p.plan.Version.AtLeast(anonymousPathsSince) {
			return failure.New(failure.Usage, "take it out of the file", "kube-apiserver %s does not take anonymous in %q: that came with %s", p.plan.Version, o.Config.Name, anonymousPathsSince)
		}
		p.remove("anonymous-auth")
	}
	p.remove(oidcFlags...)
	o.ConfigFile = cmp.Or(o.ConfigFile, p.below("authentication-config.yaml"))
	p.file(File{Path: o.ConfigFile, Mode: 0o600, Data: o.Config.Data, Why: "the authentication configuration"})
	return p.setPath("authentication-config", o.ConfigFile, "who somebody is, by tokens or without any")
}
