package apiserver

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/yamlfile"
)

type judge func(c *cisChecker, p *checkedPod) finding

func pass(found, flag string) finding {
	return finding{status: StatusPass, found: found, flag: flag}
}
func fail(found, flag string) finding {
	return finding{status: StatusFail, found: found, flag: flag}
}
func unknown(found, flag string) finding {
	return finding{status: StatusUnknown, found: found, flag: flag}
}

// areSet wants flags with a value, whatever that is.
func areSet(flags ...string) judge {
	return func(_ *cisChecker, p *checkedPod) finding {
		var missing, found []string
		for _, flag := range flags {
			if value, _ := p.value(flag); value == "" {
				missing = append(missing, "--"+flag)
			} else {
				found = append(found, value)
			}
		}
		if missing != nil {
			return fail(strings.Join(missing, ", ")+notSet(missing), "")
		}
		return pass(strings.Join(found, ", "), flags[0])
	}
}

func notSet(flags []string) string {
	if len(flags) > 1 {
		return " are not set"
	}
	return " is not set"
}

func isAbsent(flag string) judge {
	return func(_ *cisChecker, p *checkedPod) finding {
		if value, found := p.value(flag); found && value != "" {
			return fail("--"+flag+"="+value, flag)
		}
		return pass("it is not set", "")
	}
}

// isBool wants a flag of two values to be, or by default to be, one of them.
func isBool(flag string, byDefault, want bool) judge {
	return func(_ *cisChecker, p *checkedPod) finding {
		text, found := p.value(flag)
		if !found {
			f := finding{status: StatusFail, found: fmt.Sprintf("not set, which is %t", byDefault)}
			if byDefault == want {
				f.status = StatusPass
			}
			return f
		}
		is, err := parseSwitch(text)
		switch {
		case err != nil:
			return fail(fmt.Sprintf("--%s=%s is neither true nor false: %s does not start", flag, text, p.component), flag)
		case is == want:
			return pass("--"+flag+"="+text, flag)
		}
		return fail("--"+flag+"="+text, flag)
	}
}

// parseSwitch reads the value of a flag of two values; without one it is true.
func parseSwitch(text string) (bool, error) {
	if text == "" {
		return true, nil
	}
	return strconv.ParseBool(text)
}

// logDefaults is the version since which the limits of audit logs are set by
// default: before, nothing was 0 (k8s.io/apiserver/pkg/server/options/audit.go).
var logDefaults = Version{1, 36}

// isAtLeast wants a limit of audit logs. What it is where it is not set has
// changed: since is that of logDefaults, and before that of older ones.
func isAtLeast(flag string, least, since, before int) judge {
	return func(_ *cisChecker, p *checkedPod) finding {
		text, found := p.value(flag)
		switch path, _ := p.value("audit-log-path"); {
		case path == "" && !found:
			return fail("there is no audit log", "")
		case path == "":
			return fail("--"+flag+"="+text+", but there is no audit log", flag)
		case path == "-":
			return unknown("the audit log goes to standard output, whose logs are kept by the container runtime", "audit-log-path")
		}
		if !found {
			byDefault, of := before, "before 1.36"
			if p.isAtLeast(logDefaults) {
				byDefault, of = since, "since 1.36"
			} else if p.version == "" {
				of += "; no version is known"
			}
			f := fail(fmt.Sprintf("not set, which is %s %s", logLimit(byDefault), of), "")
			if byDefault >= least {
				f.status = StatusPass
			}
			return f
		}
		n, err := strconv.Atoi(text)
		switch {
		case err != nil || n < 0:
			return fail("--"+flag+"="+text+" is no number of that kind: kube-apiserver does not start", flag)
		case n < least:
			return fail("--"+flag+"="+logLimit(n), flag)
		}
		return pass("--"+flag+"="+text, flag)
	}
}

// logLimit says what 0 means: no limit.
func logLimit(n int) string {
	if n == 0 {
		return "0, no limit but the disk"
	}
	return strconv.Itoa(n)
}

func judgeAuditLog(_ *cisChecker, p *checkedPod) finding {
	file, _ := p.value("audit-log-path")
	policy, _ := p.value("audit-policy-file")
	webhook, _ := p.value("audit-webhook-config-file")
	f := pass(file, "audit-log-path")
	if policy == "" {
		f.note = "without --audit-policy-file nothing is logged"
	}
	switch {
	case file == "" && webhook != "":
		return fail("not set; events go to the webhook alone", "audit-webhook-config-file")
	case file == "":
		return fail("not set", "")
	case file == "-":
		f.found = "standard output, among the other lines of kube-apiserver"
	default:
		if _, isOnHost := p.running.HostPath(file); !isOnHost {
			return fail(file+" is in the container alone and goes with it: no volume is mounted there", "audit-log-path")
		}
	}
	return f
}

// list returns the items of a flag that is a list with commas.
func (p *checkedPod) list(flag string) []string {
	value, _ := p.value(flag)
	var items []string
	for _, item := range strings.Split(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// isEnabled wants an admission plugin, which may be enabled by default.
func isEnabled(plugin string, byDefault bool) judge {
	return func(_ *cisChecker, p *checkedPod) finding {
		switch {
		case slices.Contains(p.list("disable-admission-plugins"), plugin):
			return fail("--disable-admission-plugins has "+plugin, "disable-admission-plugins")
		case slices.Contains(p.list("enable-admission-plugins"), plugin):
			return pass("--enable-admission-plugins has it", "enable-admission-plugins")
		case byDefault:
			return pass("it is enabled by default", "")
		}
		return fail("it is not enabled", "enable-admission-plugins")
	}
}

func isNotEnabled(plugin string) judge {
	return func(_ *cisChecker, p *checkedPod) finding {
		if slices.Contains(p.list("enable-admission-plugins"), plugin) {
			return fail("--enable-admission-plugins has "+plugin, "enable-admission-plugins")
		}
		return pass("it is not enabled", "enable-admission-plugins")
	}
}

func judgeRequestTimeout(_ *cisChecker, p *checkedPod) finding {
	text, found := p.value("request-timeout")
	if !found {
		return pass("not set, which is 1m0s", "")
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > 5*time.Minute {
		return fail("--request-timeout="+text, "request-timeout")
	}
	return pass("--request-timeout="+text, "request-timeout")
}

// isStrong says whether the benchmark allows a suite (1.2.29). Two have an older
// name, too, which is shorter.
func isStrong(suite string) bool {
	return slices.Contains(strongSuites, suite) || slices.Contains(strongSuites, suite+"_SHA256")
}

func judgeCiphers(_ *cisChecker, p *checkedPod) finding {
	if version, _ := p.value("tls-min-version"); version == "VersionTLS13" {
		return pass("TLS 1.3 alone, whose suites are all strong", "tls-min-version")
	}
	suites := p.list("tls-cipher-suites")
	if len(suites) == 0 {
		return fail("not set, which allows suites with CBC and SHA-1", "")
	}
	var weak []string
	for _, suite := range suites {
		if !isStrong(suite) {
			weak = append(weak, suite)
		}
	}
	if weak != nil {
		return fail("it has "+strings.Join(weak, ", "), "tls-cipher-suites")
	}
	return pass(strconv.Itoa(len(suites))+" suites, all strong", "tls-cipher-suites")
}

// judgeSchedulerProfiling goes by the configuration if there is one: the flag is
// then of no effect (k8s.io/kubernetes/cmd/kube-scheduler/app/options/deprecated.go).
func judgeSchedulerProfiling(c *cisChecker, p *checkedPod) finding {
	if file, _ := p.value("config"); file == "" {
		return isBool("profiling", true, false)(c, p)
	}
	root, path, f := p.root("config")
	if f != nil {
		return *f
	}
	result := fail("enableProfiling is not false in the file of --config, by which --profiling is of no effect", "")
	if node := yamlfile.Field(root, "enableProfiling"); node != nil {
		var is bool
		if err := decodeNode(node, &is); err == nil && !is {
			result = pass("enableProfiling: false", "")
		}
		result.line = node.Line
	}
	result.file, result.mend = path, fixHint("write enableProfiling: false into "+path)
	return result
}

func judgeRotation(_ *cisChecker, p *checkedPod) finding {
	for _, gate := range p.list("feature-gates") {
		name, text, _ := strings.Cut(gate, "=")
		if is, err := strconv.ParseBool(text); name == "RotateKubeletServerCertificate" && err == nil && !is {
			return fail("--feature-gates has "+gate, "feature-gates")
		}
	}
	return pass("it is on by default", "")
}

func judgeLoopback(_ *cisChecker, p *checkedPod) finding {
	switch value, found := p.value("bind-address"); {
	case !found:
		return fail("not set, which is 0.0.0.0: all addresses", "")
	case value == "127.0.0.1" || value == "::1":
		return pass(value, "bind-address")
	default:
		return fail("--bind-address="+value, "bind-address")
	}
}

// judgeEtcdCA compares files by their paths, as the same CA in two files is no
// matter of flags.
func judgeEtcdCA(c *cisChecker, p *checkedPod) finding {
	file, _ := p.value("trusted-ca-file")
	if file == "" {
		return fail("--trusted-ca-file is not set", "")
	}
	server := c.pod(Component)
	if server == nil { // on a node of etcd alone
		return unknown(file+"; kube-apiserver, whose CA it is not to be, runs elsewhere", "trusted-ca-file")
	}
	clients, _ := server.value("client-ca-file")
	ours, found := p.running.HostPath(file)
	theirs, isFound := server.running.HostPath(clients)
	if file == clients && path.Clean(ours) == path.Clean(theirs) || found && isFound && ours == theirs {
		return fail(file+", which kube-apiserver takes its clients' certificates from, too: each of them may read etcd", "trusted-ca-file")
	}
	return pass(file, "trusted-ca-file")
}
