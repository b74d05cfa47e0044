package apiserver

import (
	"github.com/pkictl/pkictl/internal/failure"
)

// CheckReplaces says what of a kube-apiserver's flags the plan must not replace.
// current returns the value of a flag that is there, and whether it is. The error
// is of kind Refused.
//
// With another encryption configuration a kube-apiserver cannot read what was
// encrypted with the keys of the old one, and does not become ready. A chain of
// authorizers that has a webhook would lose it without a word.
func (p *Plan) CheckReplaces(current func(name string) (string, bool)) error {
	const config = "encryption-provider-config"
	for _, flag := range p.Set {
		old, has := current(flag.Name)
		if !has || old == "" || old == flag.Value {
			continue
		}
		switch flag.Name {
		case config:
			return failure.New(failure.Refused, "add the new provider to that file, behind the old one, on every control plane node; or name it with --"+config,
				"--%s is %q: what is encrypted with the keys in it could not be read any more", config, old)
		case "authentication-config", "authorization-config", "admission-control-config-file":
			return failure.New(failure.Refused, "change that file; or name it with --"+flag.Name+", to have it replaced after its difference was shown",
				"--%s is %q: what it says would be of no effect any more", flag.Name, old)
		}
	}
	for _, name := range p.Remove {
		old, has := current(name)
		if !has {
			continue
		}
		switch name {
		case config:
			return failure.New(failure.Refused, "put identity first in that file, write everything again, and then take the flag out by hand",
				"without --%s=%s what is encrypted could not be read any more", name, old)
		case "authorization-webhook-config-file":
			if !p.has("authorization-config") || !p.asksWebhook {
				return failure.New(failure.Refused, "add Webhook to --authorization-mode, or take the flag out by hand",
					"--%s=%s would go, and with it the decisions of that webhook", name, old)
			}
		case "oidc-issuer-url":
			return failure.New(failure.Refused, "write it as jwt into a file for --authentication-config-from, then take --oidc-* out by hand",
				"--%s=%s would go, and nobody could log in there any more", name, old)
		}
	}
	return nil
}

func (p *Plan) has(name string) bool {
	for _, flag := range p.Set {
		if flag.Name == name {
			return true
		}
	}
	return false
}

// keep takes what a kube-apiserver has already, where nothing says otherwise: what
// the benchmark asks for does not take its place.
func (o *Options) keep(current func(name string) (string, bool)) {
	o.Audit.keep(current, o.Hardened)
	if !o.Hardened {
		return
	}
	for name, file := range map[string]struct {
		path *string
		said bool
	}{
		"encryption-provider-config": {&o.Encryption.ConfigFile, o.Encryption.Resources != nil},
		"authentication-config":      {&o.Authentication.ConfigFile, o.Authentication.Config.Data != nil || o.Authentication.Anonymous != nil},
	} {
		if old, _ := current(name); !file.said && *file.path == "" && checkPath(name, old) == nil {
			*file.path = old
		}
	}
}
