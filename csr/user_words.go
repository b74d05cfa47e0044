package csr

import (
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// Doing says what a step is called while it is under way.
func (s Step) Doing() string {
	switch s {
	case StepKey:
		return "making a key"
	case StepSubmit:
		return "sending the request"
	case StepApprove:
		return "approving it"
	case StepIssue:
		return "waiting for the certificate"
	case StepKubeconfig:
		return "writing the kubeconfig"
	case StepBinding:
		return "binding the user"
	}
	return "calling the API server as the user"
}

// Did says what a step has done, with the detail that AddOptions.Done is told.
func (s Step) Did(detail string) string {
	switch s {
	case StepKey:
		if detail != "" {
			return "going on with the request that was begun " + detail
		}
		return "key and request made"
	case StepSubmit:
		return "request sent: " + detail
	case StepApprove:
		return "approved"
	case StepIssue:
		return "certificate issued: serial " + detail
	case StepKubeconfig:
		return "kubeconfig written: " + detail
	case StepBinding:
		return "bound to " + detail
	}
	return "the API server answers " + detail
}

// BoundTo says what the user got, and what it means if that is nothing.
func (a *Added) BoundTo() string {
	switch {
	case a.Binding != nil:
		return a.Binding.String()
	case len(a.Grant.Groups) > 0:
		return "none (what is allowed comes from bindings of the groups)"
	}
	return "none (it may do what everybody may; use --role or --cluster-role)"
}

// ParseFor reads for how long a user's certificate is asked.
func ParseFor(text string) (time.Duration, error) {
	d, err := ca.ParseValidity(text)
	if err != nil {
		return 0, failure.New(failure.Usage, "write it like 8h, 90m or 7d", "--for %q is not a length of time", text)
	}
	return d, nil
}

// longLifetime is for how long people should not have a certificate that
// nothing takes back.
const longLifetime = 7 * ca.Day

// Caution says what to think of before a grant is given; empty where there is
// nothing.
func (g UserGrant) Caution() string {
	if g.Lifetime() <= longLifetime {
		return ""
	}
	return "the certificate of " + g.Name + " cannot be taken back before it ends; a shorter --for, and pkictl user renew, is safer"
}

// Reach says of what in a grant hands over all of a cluster, or of a namespace,
// what that means, a line each.
func (g UserGrant) Reach() []string {
	var lines []string
	switch {
	case g.ClusterRole == RoleClusterAdmin:
		lines = append(lines, "cluster-admin in the whole cluster may do everything: read all secrets, run anything on any node, and give these rights to others")
	case g.Role == RoleClusterAdmin:
		lines = append(lines, "cluster-admin in a namespace may do everything there, and act as every service account in it")
	}
	if slices.Contains(g.Groups, ca.GroupMasters) {
		lines = append(lines, "its group "+ca.GroupMasters+" passes every authorizer: nothing but a new CA in --client-ca-file takes that back")
	}
	return lines
}

// Cluster roles that every cluster has for people (kubernetes
// plugin/pkg/auth/authorizer/rbac/bootstrappolicy).
const (
	RoleView         = "view"
	RoleEdit         = "edit"
	RoleAdmin        = "admin"
	RoleClusterAdmin = "cluster-admin"
)

// Kubectl is how recipes call it, to reach the cluster of a context of a
// kubeconfig; those that are empty it chooses itself.
func Kubectl(file, context string) string {
	words := []string{"kubectl"}
	if file != "" {
		words = append(words, "--kubeconfig", shell.Quote(file))
	}
	if context != "" {
		words = append(words, "--context", shell.Quote(context))
	}
	return strings.Join(words, " ")
}
