package apiserver

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/store"
)

// Fix is what mends a check that did not pass.
type Fix struct {
	// Command is what to run, for a POSIX shell; empty where a person has to write
	// something, which Hint says.
	Command string `json:"command,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// Think is what to know before: such a fix is made only if it is asked for by
	// the ID of its check.
	Think string `json:"think,omitempty"`

	// patch adds to what apiserver patch is to do, and returns the arguments that
	// say so. Without any, there is a hint alone.
	patch func(p *checkedPod, o *Options) (args []string, err error)
	file  func() error // what is done to the manifest as a file
	pod   *checkedPod
}

// of returns the fix for a component.
func (f *Fix) of(p *checkedPod) *Fix {
	if f == nil {
		return nil
	}
	fix := *f
	fix.pod = p
	if strings.HasPrefix(fix.Hint, "--") {
		fix.Hint = "add to the command of " + p.component + ": " + fix.Hint
	}
	if fix.patch == nil {
		return &fix
	}
	var o Options
	args, err := fix.patch(p, &o)
	if err != nil || args == nil {
		fix.Hint, fix.patch = thinkAgain(f, err), nil
		return &fix
	}
	fix.Command = "pkictl apiserver patch"
	if p.file != "" {
		fix.Command += " --manifest " + shell.Quote(p.file)
	}
	for _, arg := range args {
		fix.Command += " " + shell.Quote(arg)
	}
	return &fix
}

func thinkAgain(f *Fix, err error) string {
	if err != nil {
		return err.Error()
	}
	return f.Hint
}

// with returns the fix with something to think of before.
func (f *Fix) with(think string) *Fix {
	f.Think = think
	return f
}

// isMade says whether Fixes makes it.
func (f *Fix) isMade() bool { return f != nil && (f.patch != nil || f.file != nil) }

// Fixes are what mends a report.
type Fixes struct {
	// Options are for the manifest of kube-apiserver; see NewPlan.
	Options Options
	Patched []string // IDs of the checks that they are for
	// Files are IDs of checks that are mended at the manifests as files, by Mend.
	Files []string
	// Left are those of checks that did not pass and are not mended.
	Left  []string
	files []*Fix
}

// Fixes returns what mends the checks that failed: those that are certain, and
// those with something to think of that are named by their ID.
// One that is named and is not made here is an error of kind Usage.
func (r *CheckReport) Fixes(named []string) (*Fixes, error) {
	fixes := new(Fixes)
	for _, id := range named {
		if err := r.checkNamed(id); err != nil {
			return nil, err
		}
	}
	for _, result := range r.Results {
		isNamed := slices.Contains(named, result.ID)
		isWanted := isNamed || named == nil && result.Status == StatusFail && result.Fix != nil && result.Fix.Think == ""
		switch fix := result.Fix; {
		case fix == nil:
		case !isWanted || !fix.isMade():
			if result.Status == StatusFail {
				fixes.Left = append(fixes.Left, result.ID)
			}
		case fix.file != nil:
			fixes.Files, fixes.files = append(fixes.Files, result.ID), append(fixes.files, fix)
		default:
			if _, err := fix.patch(fix.pod, &fixes.Options); err != nil {
				return nil, err
			}
			fixes.Options.Version = versionFor(fix.pod)
			fixes.Patched = append(fixes.Patched, result.ID)
		}
	}
	return fixes, nil
}

// Patch returns the change of the manifest in a report that mends what is in
// Patched. dir is for the files that it makes, log for an audit log where there is
// none yet.
func (f *Fixes) Patch(r *CheckReport, dir, log string) PatchOptions {
	o := PatchOptions{Manifest: r.Manifest(), Options: f.Options}
	o.Dir = dir
	if o.Audit.LogPath == DefaultAuditLog {
		o.Audit.LogPath = log
	}
	return o
}

// Mended returns the IDs of the checks that were to be mended, and do not fail now.
func (f *Fixes) Mended(now *CheckReport) []string {
	var mended []string
	for _, id := range slices.Concat(f.Files, f.Patched) {
		if !slices.ContainsFunc(now.Results, func(r CheckResult) bool { return r.ID == id && r.Status == StatusFail }) {
			mended = append(mended, id)
		}
	}
	return mended
}

func (r *CheckReport) checkNamed(id string) error {
	i := slices.IndexFunc(r.Results, func(c CheckResult) bool { return c.ID == id })
	if i < 0 {
		return failure.New(failure.Usage, "see: pkictl apiserver check --list", "there is no check %q to mend", id)
	}
	switch fix := r.Results[i].Fix; {
	case fix == nil || fix.isMade():
		return nil
	default:
		return failure.New(failure.Usage, fix.Hint, "check %s is not mended by --fix", id)
	}
}

// versionFor returns the version of kube-apiserver if its flags are known.
func versionFor(p *checkedPod) string {
	if _, err := ParseVersion(p.version); err != nil {
		return ""
	}
	return p.version
}

// MendFiles changes modes and owners of manifests.
func (f *Fixes) MendFiles() error {
	for _, fix := range f.files {
		if err := fix.file(); err != nil {
			return err
		}
	}
	return nil
}

// FileCommands returns what MendFiles does, for a shell.
func (f *Fixes) FileCommands() []string {
	var commands []string
	for _, fix := range f.files {
		commands = append(commands, fix.Command)
	}
	return commands
}

func fixMode(path string) *Fix {
	return &Fix{Command: "chmod 600 " + shell.Quote(path), file: func() error { return changeError(os.Chmod(path, 0o600), path) }}
}

func fixOwner(path string, to store.Owner) *Fix {
	return &Fix{Command: "chown " + to.String() + " " + shell.Quote(path), file: func() error { return changeError(os.Chown(path, to.UID, to.GID), path) }}
}

func changeError(err error, path string) error {
	if err == nil {
		return nil
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return failure.Wrap(err, failure.Failed, "run it as root", "cannot change the rights of %q", path)
}

func fixHint(hint string) *Fix { return &Fix{Hint: hint} }

// fixFlag is for a component that apiserver patch does not change. Its manifest
// has to be named with the flags; see of.
func fixFlag(nameValues ...string) *Fix {
	var flags []string
	for pair := range slices.Chunk(nameValues, 2) {
		flags = append(flags, "--"+pair[0]+"="+pair[1])
	}
	return fixHint(strings.Join(flags, " "))
}

func fixSet(name, value string) *Fix {
	return &Fix{patch: func(_ *checkedPod, o *Options) ([]string, error) {
		o.Set = append(o.Set, name+"="+value)
		return []string{"--set", name + "=" + value}, nil
	}}
}

func fixRemove(name string) *Fix {
	return &Fix{patch: func(_ *checkedPod, o *Options) ([]string, error) {
		o.Remove = append(o.Remove, name)
		return []string{"--unset", name}, nil
	}}
}

func fixPlugin(name string) *Fix {
	return &Fix{
		Hint: "take it out of --disable-admission-plugins",
		patch: func(p *checkedPod, o *Options) ([]string, error) {
			if slices.Contains(p.list("disable-admission-plugins"), name) {
				return nil, nil
			}
			o.Admission.Enable = append(o.Admission.Enable, name)
			return []string{"--enable-admission-plugins", name}, nil
		},
	}
}

func fixCiphers() *Fix {
	return &Fix{patch: func(_ *checkedPod, o *Options) ([]string, error) {
		o.TLS.StrongCiphers = true
		return []string{"--tls-cipher-suites", "strong"}, nil
	}}
}

func fixTokenExpiration() *Fix {
	return fixSet("service-account-extend-token-expiration", "false").with(
		"pods that read their token only once are refused after an hour; who they are says the metric serviceaccount_stale_tokens_total")
}

func fixKubeletCA() *Fix {
	fix := &Fix{
		Hint: "give it with: pkictl apiserver patch --kubelet-certificate-authority PATH",
		patch: func(p *checkedPod, o *Options) ([]string, error) {
			file, _ := p.value("client-ca-file")
			if file == "" {
				return nil, nil
			}
			o.Kubelet.CA = file
			return []string{"--kubelet-certificate-authority", file}, nil
		},
	}
	return fix.with("kubelets make their own serving certificates unless they have serverTLSBootstrap, and kubectl logs and exec then end with x509: unknown authority: first see what each of them shows with pkictl cluster check --live")
}

// probesSince is the version since which a configuration may say where requests
// may be anonymous (the feature gate AnonymousAuthConfigurableEndpoints is on).
var probesSince = Version{1, 32}

func fixAnonymous() *Fix {
	fix := &Fix{
		Hint: "add to the authentication configuration: anonymous: {enabled: true, conditions: [{path: /livez}, {path: /readyz}, {path: /healthz}]}",
		patch: func(p *checkedPod, o *Options) ([]string, error) {
			if file, _ := p.value("authentication-config"); file != "" {
				return nil, nil
			}
			where := "none"
			if p.version == "" || p.isAtLeast(probesSince) {
				where = "probes"
			}
			o.Authentication.Anonymous = []string{where}
			return []string{"--anonymous", where}, nil
		},
	}
	return fix.with("not --anonymous-auth=false: the kubelet's probes are anonymous, and it would restart kube-apiserver again and again; kubeadm join needs cluster-info, too: take --anonymous probes,join until all nodes have joined")
}

func fixModes() *Fix {
	fix := &Fix{
		Hint: "change the authorizers in the file of --authorization-config",
		patch: func(p *checkedPod, o *Options) ([]string, error) {
			if file, _ := p.value("authorization-config"); file != "" {
				return nil, nil
			}
			modes := slices.DeleteFunc(p.authorizers(), func(m string) bool { return m == "AlwaysAllow" || m == "Node" || m == "RBAC" })
			o.Authorization.Order = slices.Concat([]string{"Node", "RBAC"}, modes)
			return []string{"--authorization-mode", strings.Join(o.Authorization.Order, ",")}, nil
		},
	}
	return fix.with("what no role allows is refused from then on: see first who does what, with an audit log")
}

func fixEncryption() *Fix {
	fix := &Fix{
		Hint: "change the order of the providers in the configuration by hand: the first one writes, all of them read",
		patch: func(p *checkedPod, o *Options) ([]string, error) {
			if file, _ := p.value("encryption-provider-config"); file != "" {
				return nil, nil
			}
			o.Encryption.Resources = []string{"secrets"}
			return []string{"--encrypt", "secrets"}, nil
		},
	}
	return fix.with("all API servers of a cluster need the same file, and who loses it loses the secrets; those that are there are encrypted when they are written again: kubectl get secrets -A -o json | kubectl replace -f -")
}

// fixAuditLog gives the audit log what it lacks: a policy, a file, limits. What is
// there stays.
func fixAuditLog() *Fix {
	return &Fix{patch: func(p *checkedPod, o *Options) ([]string, error) {
		var args []string
		if policy, _ := p.value("audit-policy-file"); policy != "" {
			o.Audit.PolicyFile = policy
			args = append(args, "--audit-policy-file", policy)
		} else {
			o.Audit.Preset = audit.DefaultPreset
			args = append(args, "--audit-preset", o.Audit.Preset)
		}
		if path, _ := p.value("audit-log-path"); path != "" {
			o.Audit.LogPath = path
			args = append(args, "--audit-log-path", path)
		} else {
			o.Audit.LogPath = DefaultAuditLog
		}
		for _, limit := range o.Audit.limits() {
			text, _ := p.value(limit.flag)
			if n, err := strconv.Atoi(text); err == nil && n > limit.least {
				*limit.value = n
				args = append(args, "--"+limit.flag, text)
			}
		}
		return args, nil
	}}
}

// fixAuditLimit sets one limit of an audit log, or makes one.
func fixAuditLimit(flag string, least int) *Fix {
	return &Fix{patch: func(p *checkedPod, o *Options) ([]string, error) {
		if path, _ := p.value("audit-log-path"); path == "" {
			return fixAuditLog().patch(p, o)
		}
		for _, limit := range o.Audit.limits() {
			if limit.flag == flag {
				*limit.value = least
			}
		}
		return []string{"--" + flag, strconv.Itoa(least)}, nil
	}}
}
