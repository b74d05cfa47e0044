package apiserver

import (
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// checkFlags says whether a kube-apiserver of that version would take the flags
// together: it knows each, can read its value, and none stands against another.
// A flag may be there twice where both count. What is in files is not looked at.
// The error is of kind Usage.
func checkFlags(flags []Flag, v Version) error {
	set := flagSet{}
	for _, flag := range flags {
		known, err := Known(flag.Name, v)
		if err != nil {
			return err
		}
		if err := known.CheckValue(flag.Value); err != nil {
			return err
		}
		if _, twice := set[known.Name]; twice && !known.takesSeveral() {
			return failure.New(failure.Usage, "leave one out; the last counts", "--%s is there twice", known.Name)
		}
		set[known.Name] = append(set[known.Name], flag.Value)
	}
	for _, check := range []func(flagSet, Version) error{checkExclusive, checkDependent, checkPlugins} {
		if err := check(set, v); err != nil {
			return err
		}
	}
	return nil
}

// takesSeveral says whether all count when the flag is there twice.
func (k KnownFlag) takesSeveral() bool {
	return slices.Contains([]FlagType{TypeList, TypeMap, TypeRepeated, TypeCertKey}, k.Type)
}

// flagSet has the values of each flag.
type flagSet map[string][]string

func (s flagSet) has(name string) bool { return len(s[name]) > 0 }

// list returns all items of a flag that is a list.
func (s flagSet) list(name string) []string {
	var items []string
	for _, value := range s[name] {
		for item := range strings.SplitSeq(value, ",") {
			if item != "" {
				items = append(items, item)
			}
		}
	}
	return items
}

// checkExclusive: the Validate functions of k8s.io/kubernetes/pkg/kubeapiserver/options.
func checkExclusive(set flagSet, _ Version) error {
	for _, against := range []struct {
		flag   string
		others []string
	}{
		{"authorization-config", authorizationFlags},
		{"authentication-config", oidcFlags},
		{"admission-control", []string{"enable-admission-plugins", "disable-admission-plugins"}},
		{"service-account-signing-endpoint", []string{"service-account-signing-key-file", "service-account-key-file"}},
	} {
		if !set.has(against.flag) {
			continue
		}
		for _, other := range against.others {
			if set.has(other) {
				return failure.New(failure.Usage, "leave one of them out", "kube-apiserver does not take --%s beside --%s", against.flag, other)
			}
		}
	}
	return nil
}

// checkDependent: flags that kube-apiserver refuses without another.
func checkDependent(set flagSet, _ Version) error {
	modes := set.list("authorization-mode")
	for _, needs := range []struct {
		flag  string
		met   bool
		needs string
	}{
		{"authorization-webhook-config-file", slices.Contains(modes, "Webhook"), "Webhook in --authorization-mode"},
		{"authorization-policy-file", slices.Contains(modes, "ABAC"), "ABAC in --authorization-mode"},
		{"encryption-provider-config-automatic-reload", set.has("encryption-provider-config") || slices.Equal(set["encryption-provider-config-automatic-reload"], []string{"false"}), "--encryption-provider-config"},
		{"oidc-issuer-url", set.has("oidc-client-id"), "--oidc-client-id"},
		{"oidc-client-id", set.has("oidc-issuer-url"), "--oidc-issuer-url"},
	} {
		if set.has(needs.flag) && !needs.met {
			return failure.New(failure.Usage, "add it, or leave --"+needs.flag+" out", "kube-apiserver does not take --%s without %s", needs.flag, needs.needs)
		}
	}
	if slices.Contains(modes, "Webhook") && !set.has("authorization-webhook-config-file") {
		return failure.New(failure.Usage, "add --authorization-webhook-config-file", "--authorization-mode has Webhook, and nothing says whom to ask")
	}
	for i, mode := range modes {
		if slices.Contains(modes[:i], mode) {
			return failure.New(failure.Usage, "name it once", "--authorization-mode has %s twice", mode)
		}
	}
	return nil
}

func checkPlugins(set flagSet, v Version) error {
	enabled, disabled := set.list("enable-admission-plugins"), set.list("disable-admission-plugins")
	for _, name := range slices.Concat(enabled, disabled) {
		if err := checkPlugin(name, v); err != nil {
			return err
		}
		if slices.Contains(enabled, name) && slices.Contains(disabled, name) {
			return failure.New(failure.Usage, "choose one", "the admission plugin %s is both enabled and disabled", name)
		}
	}
	return nil
}
