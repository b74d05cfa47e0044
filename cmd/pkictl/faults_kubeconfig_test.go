package main_test

import (
	"strings"
	"testing"
)

const toServer = "https://10.0.0.10:6443"

func createOf(more ...string) []string {
	return append(in("kubeconfig", "create"), more...)
}

func checkOf(more ...string) []string { return append(in("kubeconfig", "check"), more...) }

// insecureContext is a kubeconfig whose server nobody verifies.
const insecureContext = `{apiVersion: v1, kind: Config, current-context: c, users: [{name: u, user: {token: t}}],
clusters: [{name: k, cluster: {server: https://1.2.3.4, insecure-skip-tls-verify: true}}],
contexts: [{name: c, context: {cluster: k, user: u}}]}`

// kubeconfigFaults are wishes for kubeconfigs that fail, by exit code.
var kubeconfigFaults = map[int][]fault{
	1: {
		{name: "no such certificate", args: createOf("joe", "--server", toServer), says: `there is no certificate "joe"`, hint: "pkictl list"},
		{name: "name that leaves the directory", args: createOf("../../x", "--server", toServer), says: `there is no certificate "../../x"`, hint: "--cert"},
		{name: "name with an escape sequence", args: createOf("a\x1b[31mb\u202e", "--server", toServer), says: `a\x1b[31mb\u202e`, hint: "--cert"},
		{name: "name of 3,000 characters", args: createOf(strings.Repeat("x", 3000), "--server", toServer), says: "xxx", hint: ""},
		{name: "certificate that is no file", args: createOf("--cert", "pki", "--key", "pki/old.key", "--server", toServer), says: `cannot read "pki": is a directory`, hint: "name a file"},
		{name: "endless certificate", args: createOf("--cert", "/dev/zero", "--key", "pki/old.key", "--server", toServer), says: `"/dev/zero" is larger than 1 MiB`, hint: "the file you mean"},
		{name: "damaged certificate for a kubeconfig", args: createOf("old", "--server", toServer), says: `"pki/old.crt" cannot be read`, hint: "copy the whole file",
			prepare: written("pki/old.crt", "-----BEGIN CERTIFICATE-----\nnoise\n-----END CERTIFICATE-----\n")},
		{name: "no key beside", args: createOf("old", "--server", toServer), says: `cannot read "pki/old.key"`, hint: "check the name", prepare: remove("pki/old.key")},
		{name: "key of another", args: createOf("old", "--server", toServer), says: `key "pki/old.key" does not belong to certificate "pki/old.crt"`, hint: "find the key", prepare: copied("pki/ca.key", "pki/old.key")},
		{name: "kubeconfig is there", args: createOf("old", "--server", toServer, "--out", "k.conf"), says: `"k.conf" exists`, hint: "--force", prepare: written("k.conf", "")},
		{name: "something else is there", args: createOf("old", "--server", toServer, "--out", "k.conf", "--force"), says: `"k.conf" is not a kubeconfig`, hint: "begins with", prepare: written("k.conf", "notes")},
		{name: "place is a directory", args: createOf("old", "--server", toServer, "--out", "pki", "--force"), says: `"pki" is not a file`, hint: "--out"},
		{name: "no directory to write to", args: createOf("old", "--server", toServer, "--out", "none/k.conf"), says: `cannot write "none/k.conf"`, hint: "make the directory first"},
		{name: "no server anywhere", args: createOf("old"), says: "there is no --server", hint: "add --server"},
		{name: "plugin without a CA", args: createOf("old", "--exec", "--via", "ca", "--server", toServer, "--ca", "pki/old.crt", "--dir", "none"), says: "not the certificate of a CA", hint: "name the file"},
		{name: "no kubeconfig to check", args: checkOf(), says: "there is no kubeconfig", hint: "KUBECONFIG"},
		{name: "directory to check", args: checkOf("pki"), says: `"pki" is a directory`, hint: "name a file"},
		{name: "nothing to check", args: checkOf("none"), says: `cannot read "none"`, hint: "check the name"},
		{name: "10 MB to check", args: checkOf("large"), says: `"large" is larger than 4 MiB`, hint: "the file you mean", prepare: written("large", strings.Repeat(" ", 10<<20))},
		{name: "no CA to ask", args: checkOf("--dir", "none"), says: `there is no CA in "none"`, hint: "init-ca"},
	},
	2: {
		{name: "no certificate named", args: createOf(), says: "it is not said which certificate", hint: "--cert"},
		{name: "certificate without key", args: createOf("--cert", "pki/old.crt"), says: "it is not said which certificate", hint: "--key"},
		{name: "name and files", args: createOf("old", "--cert", "pki/old.crt"), says: "exclude each other", hint: "leave one out"},
		{name: "two names", args: createOf("old", "new"), says: "wrong usage", hint: "kubeconfig create --help"},
		{name: "server without scheme", args: createOf("old", "--server", "10.0.0.10:6443"), says: "not the URL", hint: toServer},
		{name: "server with a password", args: createOf("old", "--server", "https://me:secret@10.0.0.10"), says: "has a user name", hint: toServer},
		{name: "cluster with an escape sequence", args: createOf("old", "--server", toServer, "--cluster", "a\x1b[31m"), says: "cannot be printed", hint: "another name"},
		{name: "user with reversed text", args: createOf("old", "--server", toServer, "--user", "a\u202e"), says: "cannot be printed", hint: "another name"},
		{name: "no CA of the server", args: createOf("--cert", "pki/old.crt", "--key", "pki/old.key", "--server", toServer, "--dir", "none"), says: "by which to know the API server", hint: "--ca"},
		{name: "plugin for nobody", args: createOf("--exec"), says: "name of the user is missing", hint: "--exec"},
		{name: "plugin with a certificate", args: createOf("old", "--exec", "--reference"), says: "--exec has no certificate", hint: "leave one out"},
		{name: "flag of a plugin", args: createOf("old", "--for", "1h"), says: "--for is for --exec", hint: "add --exec"},
		{name: "plugin for no time", args: createOf("old", "--exec", "--for", "soon", "--server", toServer), says: `"soon"`, hint: "90d"},
		{name: "plugin with a bad group", args: createOf("old", "--exec", "--group", "a\tb", "--server", toServer), says: `group "a\tb"`, hint: "leave it out"},
		{name: "plugin with approval by the CA", args: createOf("old", "--exec", "--approve", "--server", toServer), says: "--approve is for", hint: "--via csr"},
		{name: "no context of that name", args: createOf("old", "--kubeconfig", "k.conf", "--context", "d"), says: "there is no --server", hint: "add --server", prepare: written("k.conf", insecureContext)},
		{name: "no context of that name to check", args: checkOf("k.conf", "--context", "d"), says: `there is no context "d"`, hint: "get-contexts", prepare: written("k.conf", insecureContext)},
		{name: "end within no time", args: checkOf("--within", "0d"), says: `"0d"`, hint: "90d"},
		{name: "no time to wait", args: checkOf("--request-timeout", "-1s"), says: "not a time to wait", hint: "30s"},
	},
	4: {
		{name: "plugin for a master by requests", args: createOf("old", "--exec", "--via", "csr", "--group", "system:masters", "--server", toServer), says: "system:masters", hint: "--via ca"},
		{name: "server that nobody verifies", args: createOf("old", "--kubeconfig", "k.conf"), says: "insecure-skip-tls-verify", hint: "--ca", prepare: written("k.conf", insecureContext)},
	},
}

// TestKubeconfigFaults: every fault gives one error and one hint, and changes
// nothing.
func TestKubeconfigFaults(t *testing.T) {
	t.Parallel()
	for code, faults := range kubeconfigFaults {
		for _, f := range faults {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				dir := newSite(t)
				if f.prepare != nil {
					f.prepare(t, dir)
				}
				before := snapshot(t, dir)
				checkRefusal(t, "run", runProgram(t, program(dir, f.args...)), code, f.says, f.hint)
				checkRefusal(t, "--quiet", runProgram(t, program(dir, append(in(f.args...), "--quiet")...)), code, f.says, f.hint)
				checkUnchanged(t, "run", dir, before)
			})
		}
	}
}
