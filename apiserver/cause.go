package apiserver

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/pkictl/pkictl/internal/staticpod"
)

// Cause is why a kube-apiserver does not run, as far as its log and its manifest
// show.
type Cause struct {
	Found string `json:"found"`          // one line, printable
	Hint  string `json:"hint,omitempty"` // how to mend it
	// Final says that it will not run before somebody changes something.
	Final bool `json:"final"`
}

// causeRule names what kube-apiserver ends with by a part of its own last words.
type causeRule struct {
	part      string
	what      string // stands before the words
	hint      string
	transient bool // it may be gone by itself
}

// causeRules are read in this order, and the first that fits counts. The parts
// are those of kube-apiserver v1.36.3; a test has it say each of them.
var causeRules = []causeRule{
	{part: "unknown flag: ", what: "this version does not know a flag", hint: "mend the name of the flag, or leave it out; it may be of another version"},
	{part: "unknown shorthand flag: ", what: "this version does not know a flag", hint: "mend the name of the flag: two dashes"},
	{part: "invalid argument ", what: "a flag has a wrong value", hint: "mend the value of the flag"},
	{part: "loading audit policy file: ", what: "the audit policy is not accepted", hint: "see what is wrong with it: pkictl audit lint FILE"},
	{part: "ensureLogFile: ", what: "the audit log cannot be written", hint: "mount the directory of --audit-log-path from the host, not read-only"},
	{part: "initializing audit webhook: ", what: "the audit webhook's configuration is not accepted", hint: "the file of --audit-webhook-config-file is a kubeconfig; mount it"},
	{part: "audit log ", what: "a flag of the audit log has a wrong value", hint: "mend the value of the flag"},
	{part: "--audit-", what: "a flag for audit has a wrong value", hint: "mend the value of the flag"},
	{part: "secret is not of the expected length", what: "the encryption configuration has a key of a wrong length", hint: "make one of 32 bytes: head -c 32 /dev/urandom | base64"},
	{part: "secrets must be base64 encoded", what: "the encryption configuration has a key that is not base64", hint: "make one of 32 bytes: head -c 32 /dev/urandom | base64"},
	{part: "encryption provider configuration file", what: "the encryption configuration is not accepted", hint: "mend the file of --encryption-provider-config; providers are aesgcm, aescbc, secretbox, kms and identity"},
	{part: "error while parsing file: ", what: "the encryption configuration is not accepted", hint: "mend the file of --encryption-provider-config"},
	{part: "admission-plugins", what: "the admission plugins are not accepted", hint: "mend --enable-admission-plugins and --disable-admission-plugins; names have upper case letters, as NodeRestriction"},
	{part: "anonymous-auth flag cannot be set", what: "the authentication configuration and a flag contradict each other", hint: "leave --anonymous-auth out: the configuration says who may be anonymous"},
	{part: "authentication configuration", what: "the authentication configuration is not accepted", hint: "mend the file of --authentication-config"},
	{part: "AuthorizationConfiguration", what: "the authorization configuration is not accepted", hint: "mend the file of --authorization-config"},
	{part: "--authorization-config can not be", what: "flags contradict each other", hint: "leave --authorization-mode and --authorization-webhook-* out: the configuration names the authorizers"},
	{part: "authorization-mode", what: "the authorization is not accepted", hint: "modes are Node, RBAC, Webhook, ABAC, AlwaysAllow and AlwaysDeny; Webhook and ABAC need a file"},
	{part: "tls: private key does not match public key", what: "a certificate and its key do not fit", hint: "name the key that belongs to --tls-cert-file in --tls-private-key-file"},
	{part: "failed to find any PEM data", what: "a certificate or key is none", hint: "see what is in the files of --tls-cert-file and --tls-private-key-file"},
	{part: "error loading CA bundle", what: "a CA file has no certificate", hint: "see what is in the file; --client-ca-file wants certificates in PEM"},
	{part: "service-account", what: "a flag for service account tokens is not accepted", hint: "mend --service-account-issuer, --service-account-key-file or --service-account-signing-key-file"},
	{part: "address already in use", what: "another process has the port", hint: "see which: ss -ltnp; or choose another --secure-port", transient: true},
	{part: "failed to create listener: ", what: "it cannot listen where it is told to", hint: "--bind-address is an address of this host, or 0.0.0.0"},
	{part: "secure-port", what: "the port is none", hint: "mend --secure-port"},
	{part: "unrecognized feature gate: ", what: "this version does not know a feature gate", hint: "mend --feature-gates; gates go when their feature is stable"},
	{part: "unknown api groups ", what: "this version does not know an API group", hint: "mend --runtime-config"},
	{part: "Cipher suite ", what: "a cipher suite is not known", hint: "mend --tls-cipher-suites"},
	{part: "unknown tls version ", what: "a version of TLS is not known", hint: "--tls-min-version is VersionTLS12 or VersionTLS13"},
	{part: "not a valid cidr", what: "a range of addresses is none", hint: "mend --service-cluster-ip-range"},
	{part: "error creating storage factory: context deadline exceeded", what: "etcd does not answer", hint: etcdHint, transient: true},
}

const etcdHint = "see whether etcd runs, and that --etcd-servers and its certificates are right: crictl ps -a"

// causeOfLog reads the cause off the end of a log; nil if it says none.
func causeOfLog(lines []string, c *staticpod.Component) *Cause {
	words := lastWords(lines)
	if words == "" {
		return causeOfLife(lines)
	}
	if cause := causeOfFile(words, c); cause != nil {
		return cause
	}
	for _, rule := range causeRules {
		if strings.Contains(words, rule.part) {
			return &Cause{Found: rule.what + ": " + words, Hint: rule.hint, Final: !rule.transient}
		}
	}
	return &Cause{Found: words}
}

// lastWords returns what kube-apiserver said when it ended, "" if it did not: by
// cobra, by k8s.io/component-base/cli (run.go), or in a panic.
func lastWords(lines []string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		line := lines[i]
		if _, quoted, ok := strings.Cut(line, `"command failed" err=`); ok {
			if words, err := strconv.Unquote(quoted); err == nil {
				return oneLine(words)
			}
			if quoted == "<" {
				return oneLine(klogLines(lines[i+1:]))
			}
			return quoted
		}
		for _, prefix := range []string{"Error: ", "panic: "} {
			if words, ok := strings.CutPrefix(line, prefix); ok {
				return words
			}
		}
	}
	return ""
}

// klogLines returns a value of several lines, which klog does not quote but puts
// behind < on lines of their own, each behind a tab, until " >"
// (k8s.io/klog/v2/internal/serialize, writeStringValue).
func klogLines(lines []string) string {
	var value []string
	for _, line := range lines {
		text, isOfIt := strings.CutPrefix(line, "\t")
		if !isOfIt {
			break
		}
		value = append(value, text)
	}
	return strings.Join(value, "\n")
}

// oneLine makes one line of words that are quoted no more.
func oneLine(words string) string {
	quoted := strconv.Quote(strings.Join(strings.Fields(words), " "))
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// causeOfLife reads the log of a process that has not ended.
func causeOfLife(lines []string) *Cause {
	for _, line := range lines {
		if strings.Contains(line, "grpc: addrConn.createTransport failed to connect to ") {
			_, at, _ := strings.Cut(line, `{Addr: "`)
			at, _, _ = strings.Cut(at, `"`)
			return &Cause{Found: "etcd does not answer at " + at, Hint: etcdHint}
		}
	}
	return nil
}

// fileFault is how the system names a file that it does not open.
var fileFault = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:open|read|stat|mkdir) (/[^:]*): (no such file or directory|is a directory|not a directory|permission denied|read-only file system)`)
})

// causeOfFile says of a file that kube-apiserver cannot open what the manifest and
// the host know of it.
func causeOfFile(words string, c *staticpod.Component) *Cause {
	match := fileFault().FindStringSubmatch(words)
	if match == nil {
		return nil
	}
	file, fault := match[1], match[2]
	cause := &Cause{Final: true, Found: words}
	host, isMounted := c.HostPath(file)
	info, err := os.Stat(host)
	switch {
	case fault == "no such file or directory" && !isMounted:
		cause.Found = fmt.Sprintf("the container does not see %q, for no volume mounts it: %s", file, words)
		cause.Hint = "add a hostPath volume for it, and a mount; pkictl apiserver flags makes both"
	case fault == "no such file or directory" && err != nil:
		cause.Found = fmt.Sprintf("%q is not on this host: %s", host, words)
		cause.Hint = "put the file there, or mend the flag"
	case fault == "is a directory" && isMounted && err == nil && info.IsDir():
		cause.Found = fmt.Sprintf("%q is a directory: %s", host, words)
		cause.Hint = "name a file in it; a container runtime makes a directory of a hostPath that is missing and has no type"
	case fault == "read-only file system":
		cause.Hint = "the mount is read-only: leave readOnly out for what is written, such as the directory of the audit log"
	case fault == "permission denied":
		cause.Hint = "see the owner and mode of the file and of the directories above it; kube-apiserver runs as the user of the pod's securityContext, most often root"
	default:
		cause.Hint = "mend the flag that names it, or its mount"
	}
	return cause
}
