package tui

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func (f *flowCredential) stepExport() step {
	return step{
		title: "One file with both",
		intro: "Key and certificate are always written as two files in PEM, which servers and kubectl read.",
		check: f.checkExport,
		fields: []field{
			{key: "output", title: "One file, too?", choice: &f.form, options: flowCredentialForms},
			{
				key: "secret-name", title: "Name of the Secret", text: &f.secretName, hidden: not(f.isSecret), check: typedCheck(flowCredentialCheckSecret),
				fallback: func() string { return f.plainExport().Name }, help: "As in web-tls: lower-case letters, digits, '-' and '.'.",
			},
			{
				key: "secret-namespace", title: "Namespace of the Secret", text: &f.secretNamespace, hidden: not(f.isSecret), check: typedCheck(flowCredentialCheckNamespace),
				fallback: f.contextNamespace, help: "Without one kubectl apply puts it into the namespace of your context.",
			},
			{
				key: "export", title: "File", text: &f.export, hidden: func() bool { return f.form == "" }, check: typedCheck(flowCredentialCheckFile),
				fallback: func() string { return ca.ExportForm(f.form).PathFor(f.options()) }, help: "It holds the private key, and is readable by you alone (mode 0600).",
			},
		},
	}
}

func flowCredentialForms() []option {
	return []option{
		{"", "No", "Two files are what most programs want."},
		{string(ca.ExportPKCS12), "PKCS#12 (.p12)", "For browsers, Java and Windows, with all CAs, under a password that you type at the end."},
		{string(ca.ExportPEM), "PEM bundle (.pem)", "Key, certificate and intermediate CAs in one file, as HAProxy reads it."},
		{string(ca.ExportTLSSecret), "TLS Secret", "A manifest of type kubernetes.io/tls for kubectl apply: tls.crt, tls.key and ca.crt."},
		{string(ca.ExportOpaqueSecret), "Opaque Secret", "The same as type Opaque, and with the kubeconfig if there is one."},
	}
}

// contextNamespace is that of the kubeconfig, which a Secret goes to unless told
// otherwise.
func (f *flowCredential) contextNamespace() string {
	if !f.hasKubeconfig() {
		return ""
	}
	return f.namespace
}

func flowCredentialCheckSecret(name string) error {
	return ca.Export{Form: ca.ExportTLSSecret, Name: name}.Validate()
}

// flowCredentialCheckFile refuses what the command line takes for standard
// output.
func flowCredentialCheckFile(path string) error {
	if path == "-" {
		return failure.New(failure.Usage, "name a file; the command line writes to standard output", "%q is no file", path)
	}
	return nil
}

// checkExport checks all but the password, which is asked for at the end.
func (f *flowCredential) checkExport() error {
	if !f.isSecret() {
		return nil
	}
	return f.plainExport().Validate()
}

func (f *flowCredential) stepFiles() step {
	return step{
		title: "Files",
		load:  f.loadTargets,
		fields: []field{
			{
				key: "out", title: "Key and certificate", text: &f.out, check: typedCheck(nil),
				fallback: func() string { return f.options().Prefix() }, help: "The path without its end: .crt and .key are added.",
			},
			{
				key: "force", title: "Replace what is there?", yes: &f.force, hidden: not(f.targetExists),
				help: "All of them in one step. The certificate that is replaced still works until it ends.",
			},
		},
	}
}

// targets are the files that are written.
func (f *flowCredential) targets() []string {
	prefix := f.options().Prefix()
	paths := []string{prefix + ".crt", prefix + ".key"}
	if f.hasKubeconfig() {
		paths = append(paths, f.kubeconfigPath())
	}
	if f.form != "" {
		paths = append(paths, f.exportPath())
	}
	return paths
}

// loadTargets has what is on the disk looked at again.
func (f *flowCredential) loadTargets(context.Context) error {
	f.forgetTargets()
	return nil
}

func (f *flowCredential) forgetTargets() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.found.paths = nil
}

// targetExists says whether one of the files is there. Names are looked up when
// they change, not at every key.
func (f *flowCredential) targetExists() bool {
	paths := f.targets()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(paths, f.found.paths) {
		f.found.paths = paths
		f.found.exists = slices.ContainsFunc(paths, func(path string) bool {
			_, err := os.Lstat(filepath.Clean(path))
			return err == nil
		})
	}
	return f.found.exists
}
