package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

type auditExplainFlags struct {
	policy string

	verbs, resources          []string
	subresource, group        string
	namespace, name           string
	allNamespaces             bool
	path, url, method         string
	user                      string
	groups                    []string
	table                     bool
	namespaceGiven, userGiven bool
}

func (a *app) auditExplainCmd() *cobra.Command {
	var f auditExplainFlags
	cmd := &cobra.Command{
		Use:   "explain FILE [METHOD URL]",
		Short: "Say which rule of an audit policy decides about a request, and why",
		Long: `Say which rule of an audit policy decides about a request, at what level, what
the log then holds, and why the rules before it do not match. The decision is
that of the API server's own code, on what it reads of the file. FILE - is
standard input.

The request is given in the words of kubectl (--verb, --resource, ...), as a
path that is no resource (--path /healthz), or by method and URL as kubectl -v=8
shows them: such a line may be pasted as it is, as arguments or with --url.

Of a user, the API server adds the groups system:authenticated or
system:unauthenticated, and those of service accounts. Who impersonates somebody
counts as who they are. Without --user and --group, rules that depend on it are
shown as such.

--table shows the decisions about many requests: the important resources and
those that the policy speaks of, by verb, for each user and group that it names.
In it, --verb and --resource may be given several times.`,
		Example: `  pkictl audit generate --log 'delete pods in prod at Request' --out policy.yaml
  pkictl audit explain policy.yaml --verb delete --resource pods --namespace prod --user jane --group devs
  pkictl audit explain policy.yaml --verb create --resource pods/exec --name web -o json
  pkictl audit explain policy.yaml --path /healthz
  pkictl audit explain policy.yaml GET 'https://10.0.0.1:6443/api/v1/pods?limit=500'
  pkictl audit explain policy.yaml --table
  pkictl audit explain policy.yaml --table --resource secrets --namespace prod`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.namespaceGiven, f.userGiven = cmd.Flags().Changed("namespace"), cmd.Flags().Changed("user") || cmd.Flags().Changed("group")
			if f.policy == "" && len(args) > 0 {
				f.policy, args = args[0], args[1:]
			}
			if f.policy == "" {
				return failure.New(failure.Usage, "name the file: pkictl audit explain policy.yaml --verb get --resource pods", "no policy is given")
			}
			if err := f.takeLine(strings.Join(args, " ")); err != nil {
				return err
			}
			return a.auditExplain(f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.policy, "policy", "", "`FILE` with the policy, instead of the first argument; - is standard input")
	flags.StringSliceVar(&f.verbs, "verb", nil, "`VERB` of the request: get, list, watch, create, update, patch, delete or deletecollection")
	flags.StringSliceVar(&f.resources, "resource", nil, "`RESOURCE` as kubectl takes it: pods, deploy, deployments.apps, pods/exec")
	flags.StringVar(&f.subresource, "subresource", "", "`NAME` of a subresource, as exec")
	flags.StringVar(&f.group, "api-group", "", "API `GROUP` of the resource, where its name does not say it; core for the core group")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "`NAMESPACE` of the request (default \"default\" where the resource has one)")
	flags.BoolVarP(&f.allNamespaces, "all-namespaces", "A", false, "in all namespaces, for list, watch and deletecollection")
	flags.StringVar(&f.name, "name", "", "`NAME` of the object")
	flags.StringVar(&f.path, "path", "", "`PATH` that is no resource, as /healthz")
	flags.StringVar(&f.url, "url", "", "`URL` of the request, or a line in which kubectl -v=8 shows it")
	flags.StringVar(&f.method, "method", "", "HTTP `METHOD` of the URL or path (default GET)")
	flags.StringVar(&f.user, "user", "", "`NAME` of the user who asks")
	flags.StringArrayVar(&f.groups, "group", nil, "`GROUP` that the user is in; may be given several times")
	flags.BoolVar(&f.table, "table", false, "show the decisions about many requests")
	complete(cmd, "verb", audit.Verbs()...)
	complete(cmd, "method", "GET", "POST", "PUT", "PATCH", "DELETE")
	return cmd
}

// takeLine takes method and URL from a line, given as arguments or with --url.
func (f *auditExplainFlags) takeLine(args string) error {
	switch {
	case args != "" && f.url != "":
		return failure.New(failure.Usage, "leave one of them out", "the request is given twice: %q and --url %q", args, f.url)
	case args == "" && f.url == "":
		return nil
	}
	method, url, err := audit.ParseRequestLine(cmp.Or(args, f.url))
	if err != nil {
		return err
	}
	if method != "" && f.method != "" && !strings.EqualFold(method, f.method) {
		return failure.New(failure.Usage, "leave one of them out", "the method is given twice: %s and --method %s", method, f.method)
	}
	f.url, f.method = url, cmp.Or(f.method, method)
	return nil
}

// auditExplain reads the policy and says what it does.
func (a *app) auditExplain(f auditExplainFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	policy, err := a.readPolicy(f.policy)
	if err != nil {
		return err
	}
	if f.table {
		return a.auditTable(policy, f)
	}
	request, warnings, err := f.request()
	if err != nil {
		return err
	}
	a.warn(warnings...)
	request.User, request.Groups = f.user, audit.GroupsOf(f.user, f.groups)
	return a.reportDecision(policy, policy.Explain(request), warnings)
}

// check refuses flags that do not go together.
func (f *auditExplainFlags) check() error {
	var ways []string
	if len(f.verbs) > 0 && f.path == "" || len(f.resources) > 0 {
		ways = append(ways, "--verb and --resource")
	}
	if f.path != "" {
		ways = append(ways, "--path")
	}
	if f.url != "" {
		ways = append(ways, "a URL")
	}
	hint := "as in: --verb delete --resource pods --namespace prod, --path /healthz, or a URL"
	switch {
	case f.table && (f.path != "" || f.url != "" || f.method != ""):
		return failure.New(failure.Usage, "leave it out, or --table", "a table is of resources and verbs, and a single request is given")
	case len(ways) > 1:
		return failure.New(failure.Usage, "leave one of them out", "the request is given by %s", strings.Join(ways, " and by "))
	case f.table:
		return nil
	case len(ways) == 0:
		return failure.New(failure.Usage, hint+"; or --table for many", "no request is given")
	case f.method != "" && len(f.resources) > 0:
		return failure.New(failure.Usage, "give the verb with --verb", "--method is of a URL or path")
	case f.url == "" && f.path == "" && (len(f.verbs) == 0 || len(f.resources) == 0):
		return failure.New(failure.Usage, hint, "a request has a --verb and a --resource, and one of them is missing")
	case len(f.verbs) > 1 || len(f.resources) > 1:
		return failure.New(failure.Usage, "give one, or --table", "several verbs or resources are several requests")
	case f.allNamespaces && f.namespaceGiven:
		return failure.New(failure.Usage, "leave one of them out", "--namespace and --all-namespaces are given")
	case f.url != "" || f.path != "":
		if f.namespace+f.name+f.subresource+f.group != "" || f.allNamespaces {
			return failure.New(failure.Usage, "leave them out", "namespace, name, subresource and API group are in the URL, and given beside it")
		}
	}
	return nil
}

// request returns the request that the flags are about, and warnings.
func (f *auditExplainFlags) request() (audit.Request, []string, error) {
	switch {
	case f.url != "":
		r, err := audit.ParseRequest(cmp.Or(f.method, "GET"), f.url)
		return r, nil, err
	case f.path != "":
		method := f.method
		if len(f.verbs) > 0 {
			method = f.verbs[0] // that of a path is the method in lower case
		}
		r, err := audit.ParseRequest(cmp.Or(method, "GET"), f.path)
		if err == nil && r.IsResource {
			err = failure.New(failure.Usage, "give it with --url and --method", "%q is the path of a resource", f.path)
		}
		return r, nil, err
	}
	return f.named(f.verbs[0], f.resources[0])
}

// named returns the request by kubectl's words, in its default namespace.
func (f *auditExplainFlags) named(verb, resource string) (audit.Request, []string, error) {
	n := audit.Named{Verb: verb, Resource: resource, Group: f.group, Subresource: f.subresource, Namespace: f.namespace, Name: f.name}
	namespaced, known := n.Namespaced()
	var more []string
	switch {
	case known && !namespaced && f.namespaceGiven:
		more = append(more, fmt.Sprintf("%s is in no namespace: --namespace is without effect", resource))
	case f.allNamespaces && !strings.HasPrefix(verb, "list") && !strings.HasPrefix(verb, "watch") && !strings.HasPrefix(verb, "deletecollection"):
		return audit.Request{}, nil, failure.New(failure.Usage, "give --namespace", "--all-namespaces is for list, watch and deletecollection")
	case namespaced && !f.namespaceGiven && !f.allNamespaces:
		n.Namespace = "default"
	case !known && !f.namespaceGiven && !f.allNamespaces:
		more = append(more, "no namespace is given, and whether the resource has one is not known: taken as in none")
	}
	r, warnings, err := n.Request()
	return r, append(warnings, more...), err
}

// readPolicy reads the policy in a file, or with - on standard input, and warns of
// what in it does not count.
func (a *app) readPolicy(file string) (*audit.Policy, error) {
	_, data, err := a.readPolicyFile(file)
	if err != nil {
		return nil, err
	}
	policy, err := audit.Parse(file, data)
	if err != nil {
		return nil, err
	}
	a.warnUnread(policy)
	return policy, nil
}

func (a *app) warnUnread(policy *audit.Policy) {
	const most = 5
	unread := policy.Unread()
	for i, u := range unread {
		if i == most {
			a.warn(fmt.Sprintf("%s: %d more are not read", policy.Name, len(unread)-most))
			break
		}
		a.warn(fmt.Sprintf("%s, line %d: %s is not read by kube-apiserver; see: pkictl audit lint %s", policy.Name, u.Line, u.Field, shell.Quote(policy.Name)))
	}
	if policy.HasMore() {
		a.warn(fmt.Sprintf("%s has more than one document: kube-apiserver reads the first alone", policy.Name))
	}
}
