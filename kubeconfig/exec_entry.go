package kubeconfig

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd/api"
	v1 "k8s.io/client-go/tools/clientcmd/api/v1"

	"github.com/pkictl/pkictl/internal/shell"
)

// ExecEntry is one user of one cluster whose credential a command hands out
// (client.authentication.k8s.io/v1), and the context that joins them. The
// certificate and key of Entry are not used.
type ExecEntry struct {
	Entry
	Command     string // absolute, or to be found in PATH
	Args        []string
	Env         map[string]string
	InstallHint string // what kubectl says where the command is not there
}

// Marshal returns a kubeconfig with this entry alone, in YAML. It holds no
// secret, but decides which command is run.
func (e ExecEntry) Marshal() ([]byte, error) {
	plugin := &v1.ExecConfig{
		APIVersion: ExecAPIVersion, Command: e.Command, Args: e.Args, InstallHint: e.InstallHint,
		// It may have to ask for the passphrase of a key.
		InteractiveMode: v1.IfAvailableExecInteractiveMode,
	}
	for _, name := range slices.Sorted(maps.Keys(e.Env)) {
		plugin.Env = append(plugin.Env, v1.ExecEnvVar{Name: name, Value: e.Env[name]})
	}
	return e.marshal(v1.AuthInfo{Exec: plugin})
}

// Explain returns the kubectl commands, for a POSIX shell, that write the entry
// to a kubeconfig. kubectl has no flag for the hint where the command is not
// there.
func (e ExecEntry) Explain(path, caFile string) string {
	var b strings.Builder
	b.WriteString("--exec-api-version=" + ExecAPIVersion + " --exec-interactive-mode=" + string(api.IfAvailableExecInteractiveMode) +
		" --exec-command=" + shell.Quote(e.Command))
	for _, arg := range e.Args {
		b.WriteString(" --exec-arg=" + shell.Quote(inCSV(arg)))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Env)) {
		b.WriteString(" --exec-env=" + shell.Quote(name+"="+e.Env[name]))
	}
	return "# a kubeconfig whose credential that command hands out\n" + e.explain(path, caFile, b.String())
}

// inCSV writes a word for a flag of kubectl that takes a list, in CSV.
func inCSV(word string) string {
	if !strings.ContainsAny(word, "\",\n") {
		return word
	}
	return `"` + strings.ReplaceAll(word, `"`, `""`) + `"`
}
