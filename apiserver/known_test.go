package apiserver

import (
	"flag"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

var update = flag.Bool("update", false, "add the flags of the real kube-apiserver to known_flags.txt")

const realAPIServer = "../tools/bin/kube-apiserver"

// helpLine is a flag in the help of kube-apiserver: name, type, and what it does.
var helpLine = regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z0-9-]+)(?: (\S+))?  +(.*)$`)

// typeOf is the type of a flag by the word that its help has for the value.
func typeOf(word string) FlagType {
	switch word {
	case "":
		return TypeBool
	case "strings", "int32Slice":
		return TypeList
	case "stringArray":
		return TypeRepeated
	case "int", "Level":
		return TypeInt
	case "float", "float32":
		return TypeFloat
	case "duration":
		return TypeDuration
	case "mapStringString", "stringToString", "colonSeparatedMultimapStringString":
		return TypeMap
	case "namedCertKey":
		return TypeCertKey
	case "version[=true]":
		return TypeBool
	}
	return TypeText
}

func realHelp(t *testing.T) map[string]FlagType {
	t.Helper()
	out, err := exec.Command(realAPIServer, "--help").Output()
	if err != nil {
		t.Fatalf("%v (make test builds it)", err)
	}
	flags := map[string]FlagType{}
	for _, match := range helpLine.FindAllStringSubmatch(string(out), -1) {
		if match[1] != "help" {
			flags[match[1]] = typeOf(match[2])
		}
	}
	if len(flags) < 150 {
		t.Fatalf("the help names %d flags only", len(flags))
	}
	return flags
}

// TestKnownFlags holds the table against the help of a real kube-apiserver, and
// what the help does not show against its parser.
func TestKnownFlags(t *testing.T) {
	t.Parallel()
	help := realHelp(t)
	var unseen []string
	for _, known := range knownFlags() {
		real, inHelp := help[known.Name]
		delete(help, known.Name)
		switch {
		case inHelp && !known.In(newestKnown):
			t.Errorf("--%s is there, the table says until %s", known.Name, known.Until)
		case inHelp && real != known.Type:
			t.Errorf("--%s is %s, the table says %s", known.Name, real, known.Type)
		case !inHelp:
			unseen = append(unseen, known.Name)
		}
	}
	for name, kind := range help {
		t.Errorf("--%s (%s) is not in the table", name, kind)
		if *update {
			file, err := os.OpenFile("known_flags.txt", os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = file.WriteString(name + " " + string(kind) + " since=" + newestKnown.String() + "\n")
			}
			if err != nil {
				t.Error(err)
			}
			_ = file.Close()
		}
	}
	var wait sync.WaitGroup
	slots := make(chan struct{}, 2)
	for _, name := range unseen {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			out, _ := exec.Command(realAPIServer, "--"+name+"=1", "--version").CombinedOutput()
			_, err := Known(name, newestKnown)
			if isUnknown := strings.Contains(string(out), "unknown flag"); isUnknown == (err == nil) {
				t.Errorf("--%s: kube-apiserver says %s, the table %v", name, out, err)
			}
		})
	}
	wait.Wait()
}

// TestKnownPlugins holds the admission plugins against the help.
func TestKnownPlugins(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(realAPIServer, "--help").Output()
	if err != nil {
		t.Fatalf("%v (make test builds it)", err)
	}
	_, list, found := strings.Cut(string(out), "Comma-delimited list of admission plugins: ")
	list, _, ends := strings.Cut(list, ". The order of plugins")
	if !found || !ends {
		t.Fatal("no plugins in the help")
	}
	var table []string
	for _, plugin := range knownPlugins() {
		if plugin.In(newestKnown) {
			table = append(table, plugin.Name)
		}
	}
	if real := strings.Split(list, ", "); !slices.Equal(real, table) {
		t.Errorf("the help has\n%q\nand the table\n%q", real, table)
	}
}

// TestKnownTable reads each line of both tables.
func TestKnownTable(t *testing.T) {
	t.Parallel()
	types := []FlagType{TypeBool, TypeInt, TypeFloat, TypeDuration, TypeText, TypeList, TypeMap, TypeRepeated, TypeCertKey}
	uses := []PathUse{"", PathFile, PathReread, PathWritten, PathDirectory, PathSocket}
	seen := map[string]bool{}
	for _, flag := range slices.Concat(knownFlags(), knownPlugins()) {
		if seen[flag.Name] || !slices.Contains(types, flag.Type) || !slices.Contains(uses, flag.Path) {
			t.Errorf("%+v", flag)
		}
		seen[flag.Name] = true
		if flag.Since.Major > 1 || flag.Until.Major > 1 || flag.Since.Minor > newestKnown.Minor || flag.Until.Minor >= newestKnown.Minor {
			t.Errorf("%s is of %s to %s", flag.Name, flag.Since, flag.Until)
		}
	}
	for _, text := range []string{knownText, pluginsText} {
		for line := range strings.Lines(text) {
			for _, word := range strings.Fields(strings.Split(line, "#")[0])[min(2, len(strings.Fields(strings.Split(line, "#")[0]))):] {
				if key, _, _ := strings.Cut(word, "="); !slices.Contains([]string{"path", "since", "until", "deprecated"}, key) {
					t.Errorf("%q in %s", word, line)
				}
			}
		}
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, version, says, hint string }{
		{"audit-policy-file", "", "", ""},
		{"audit_policy_file", "1.30", "", ""},
		{"cloud-provider", "v1.32.11", "", ""},
		{"cloud-provider", "1.33", "1.32 was the last that had it", "a cloud controller manager"},
		{"tls-curve-preferences", "1.35.0", "it came with 1.36", "leave it out"},
		{"requestheader-uid-headers", "1.31", "it came with 1.32", "leave it out"},
		{"insecure-port", "1.36", "1.23 was the last", "--secure-port"},
		{"audit-policy-fil", "1.36", "has no flag --audit-policy-fil", "did you mean --audit-policy-file?"},
		{"audit-policy", "1.36", "has no flag --audit-policy", "there is --audit-policy-file"},
		{"nonsense", "1.36", "has no flag --nonsense", "kube-apiserver --help"},
	} {
		v, err := ParseVersion(test.version)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Known(test.name, v)
		checkUsage(t, test.name+" "+test.version, err, test.says, test.hint)
	}
	for _, test := range []struct{ version, says string }{
		{"1.29", "are not known"}, {"1.37", "are not known"}, {"v2.0.0", "are not known"}, {"one", "is no version"}, {"1", "is no version"}, {"1.36.3+k3s1", ""}, {"1.36.0-rc.1", ""},
	} {
		_, err := ParseVersion(test.version)
		checkUsage(t, test.version, err, test.says, "1.30 to 1.36")
	}
}

// checkUsage checks an error of kind Usage, or that there is none.
func checkUsage(t *testing.T, what string, err error, says, hint string) {
	t.Helper()
	switch {
	case says == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case says == "":
	case err == nil || failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), says) || !strings.Contains(failure.HintOf(err), hint):
		t.Errorf("%s: %v\nhint: %s\nwant %q, %q", what, err, failure.HintOf(err), says, hint)
	}
}

func TestFlagPaths(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, value string
		want        []string
	}{
		{"audit-log-path", "-", nil},
		{"audit-log-path", "/a", []string{"/a"}},
		{"tls-sni-cert-key", "/a.crt,/a.key", []string{"/a.crt", "/a.key"}},
		{"tls-sni-cert-key", "/a.crt,/a.key:*.example.com,example.com", []string{"/a.crt", "/a.key"}},
		{"service-account-signing-endpoint", "unix:///run/s.sock", []string{"/run/s.sock"}},
		{"service-account-signing-endpoint", "@abstract", nil},
		{"event-ttl", "/a", nil},
		{"oidc-ca-file", "", nil},
	} {
		known, err := Known(test.name, newestKnown)
		if got := known.Paths(test.value); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s %q: %q, %v", test.name, test.value, got, err)
		}
	}
}

func TestCheckFlags(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ flags, says, hint string }{
		{"profiling=false authorization-mode=Node,RBAC event-ttl=1h v=2 goaway-chance=0.01 feature-gates=A=true version=raw", "", ""},
		{"service-account-issuer=a service-account-issuer=b tls-sni-cert-key=/a,/b", "", ""},
		{"profiling=no", `does not take "no" for --profiling`, "true or false"},
		{"event-ttl=2", `does not take "2" for --event-ttl`, "30s"},
		{"audit-log-maxage=x", "audit-log-maxage", "a number"},
		{"goaway-chance=x", "goaway-chance", "a number"},
		{"runtime-config=x", "runtime-config", "NAME=VALUE"},
		{"tls-sni-cert-key=/a", "tls-sni-cert-key", "CERTIFICATE,KEY"},
		{"profiling=true profiling=false", "--profiling is there twice", "the last counts"},
		{"authorization-config=/a authorization-mode=RBAC", "--authorization-config beside --authorization-mode", "leave one"},
		{"authentication-config=/a oidc-issuer-url=https://a oidc-client-id=b", "beside --oidc-client-id", "leave one"},
		{"admission-control=PodSecurity enable-admission-plugins=PodSecurity", "beside --enable-admission-plugins", "leave one"},
		{"authorization-mode=Webhook", "whom to ask", "--authorization-webhook-config-file"},
		{"authorization-mode=RBAC authorization-webhook-config-file=/a", "without Webhook", "add it"},
		{"authorization-mode=RBAC authorization-mode=RBAC", "has RBAC twice", "once"},
		{"authorization-policy-file=/a", "without ABAC", "add it"},
		{"oidc-client-id=a", "without --oidc-issuer-url", "add it"},
		{"encryption-provider-config-automatic-reload=true", "without --encryption-provider-config", "add it"},
		{"encryption-provider-config-automatic-reload=false", "", ""},
		{"enable-admission-plugins=NodeRestricton", `no admission plugin "NodeRestricton"`, "did you mean NodeRestriction?"},
		{"enable-admission-plugins=PodSecurityPolicy", "1.24 was the last", "PodSecurity"},
		{"enable-admission-plugins=A", "no admission plugin", "known"},
		{"enable-admission-plugins=PodSecurity disable-admission-plugins=PodSecurity", "both enabled and disabled", "one"},
	} {
		var flags []Flag
		for _, word := range strings.Fields(test.flags) {
			name, value, _ := strings.Cut(word, "=")
			flags = append(flags, Flag{Name: name, Value: value})
		}
		checkUsage(t, test.flags, checkFlags(flags, newestKnown), test.says, test.hint)
	}
}
