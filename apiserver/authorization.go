package apiserver

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// authorizers are those that can be put in an order. AlwaysAllow makes all
// others pointless (CIS 1.2.6), and ABAC needs a restart for each change.
var authorizers = []string{"Node", "RBAC", "Webhook"}

// authorizationV1Since is the first version that takes apiserver.config.k8s.io/v1
// (k8s.io/apiserver/pkg/apis/apiserver/v1, AuthorizationConfiguration).
var authorizationV1Since = Version{1, 32}

// authorizationFlags do not stand beside --authorization-config
// (k8s.io/kubernetes/pkg/kubeapiserver/options/authorization.go, Validate).
var authorizationFlags = []string{
	"authorization-mode", "authorization-webhook-cache-authorized-ttl", "authorization-webhook-cache-unauthorized-ttl",
	"authorization-webhook-config-file", "authorization-webhook-version",
}

// authorization is about what somebody may do.
func (p *planner) authorization() error {
	o := &p.Authorization
	if o.Config.Data != nil {
		return p.authorizationFile()
	}
	if o.Order == nil {
		if o.WebhookConfig != "" || o.WebhookOnError != "" {
			return failure.New(failure.Usage, "add --authorization-mode Node,RBAC,Webhook", "--authorization-webhook-* is for an order with a webhook in it")
		}
		if o.ConfigFile != "" {
			p.file(File{Path: o.ConfigFile, Mode: 0o600, Why: "the authorization configuration"})
			p.remove(authorizationFlags...)
		}
		return p.setPath("authorization-config", o.ConfigFile, "the authorizers, in their order")
	}
	if err := p.checkOrder(); err != nil {
		return err
	}
	if !slices.Contains(o.Order, "Webhook") && o.ConfigFile == "" {
		p.remove("authorization-config")
		p.set("authorization-mode", strings.Join(o.Order, ","), "the authorizers, in their order (CIS 1.2.6 to 1.2.8)")
		return nil
	}
	return p.authorizationOrder()
}

func (p *planner) checkOrder() error {
	o := p.Authorization
	for i, mode := range o.Order {
		if !slices.Contains(authorizers, mode) {
			return failure.New(failure.Usage, failure.Suggest(mode, authorizers), "--authorization-mode %q is no authorizer to take", mode)
		}
		if slices.Contains(o.Order[:i], mode) {
			return failure.New(failure.Usage, "name it once", "--authorization-mode names %s twice", mode)
		}
	}
	if !slices.Contains(o.Order, "RBAC") || !slices.Contains(o.Order, "Node") {
		p.note("without Node and RBAC neither the kubelets nor the controllers of a cluster may do what they have to (CIS 1.2.7, 1.2.8)")
	}
	webhook := slices.Contains(o.Order, "Webhook")
	switch {
	case webhook && o.WebhookConfig == "":
		return failure.New(failure.Usage, "name its kubeconfig with --authorization-webhook-config-file", "the authorizer Webhook needs to know whom to ask")
	case !webhook && (o.WebhookConfig != "" || o.WebhookOnError != ""):
		return failure.New(failure.Usage, "add Webhook to --authorization-mode", "--authorization-webhook-* is for an order with a webhook in it")
	}
	return nil
}

// authorizationOrder makes a configuration with the authorizers in their order.
// The flags could name a webhook too, but none that denies when it does not answer.
func (p *planner) authorizationOrder() error {
	o := &p.Authorization
	onError := cmp.Or(o.WebhookOnError, "Deny")
	if onError != "Deny" && onError != "NoOpinion" {
		return failure.New(failure.Usage, "choose Deny or NoOpinion", "--authorization-webhook-on-error %q is no decision", onError)
	}
	var b strings.Builder
	b.WriteString("apiVersion: " + p.authorizationVersion() + "\nkind: AuthorizationConfiguration\n")
	b.WriteString("# They are asked in this order, until one allows or denies.\nauthorizers:\n")
	for _, mode := range o.Order {
		b.WriteString("- type: " + mode + "\n  name: " + strings.ToLower(mode) + "\n")
		if mode != "Webhook" {
			continue
		}
		if err := p.needs("authorization-webhook-config-file", o.WebhookConfig, "the kubeconfig of the authorizer Webhook"); err != nil {
			return err
		}
		p.plan.asksWebhook = true
		b.WriteString(`  webhook:
    authorizedTTL: 5m
    unauthorizedTTL: 30s
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: ` + onError + ` # while it does not answer
    connectionInfo:
      type: KubeConfigFile
      kubeConfigFile: ` + yamlText(o.WebhookConfig) + "\n")
	}
	o.ConfigFile = cmp.Or(o.ConfigFile, p.below("authorization-config.yaml"))
	p.file(File{Path: o.ConfigFile, Mode: 0o600, Data: []byte(b.String()), Why: "the authorizers, in their order"})
	p.remove(authorizationFlags...)
	return p.setPath("authorization-config", o.ConfigFile, "the authorizers, in their order (CIS 1.2.6 to 1.2.8)")
}

func (p *planner) authorizationVersion() string {
	if p.plan.Version.AtLeast(authorizationV1Since) {
		return configV1
	}
	return configV1beta1
}

// authorizationFile takes a configuration that was written elsewhere.
func (p *planner) authorizationFile() error {
	o := &p.Authorization
	if o.Order != nil || o.WebhookConfig != "" || o.WebhookOnError != "" {
		return failure.New(failure.Usage, "say it in "+o.Config.Name, "--authorization-mode and --authorization-webhook-* do not go with --authorization-config-from")
	}
	if _, err := p.readConfig(o.Config, "AuthorizationConfiguration", []string{"authorizers"}, p.plan.Version.AtLeast(authorizationV1Since)); err != nil {
		return err
	}
	if err := p.webhooksOf(o.Config); err != nil {
		return err
	}
	o.ConfigFile = cmp.Or(o.ConfigFile, p.below("authorization-config.yaml"))
	p.file(File{Path: o.ConfigFile, Mode: 0o600, Data: o.Config.Data, Why: "the authorizers, in their order"})
	p.remove(authorizationFlags...)
	return p.setPath("authorization-config", o.ConfigFile, "the authorizers, in their order (CIS 1.2.6 to 1.2.8)")
}
