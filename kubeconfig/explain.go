package kubeconfig

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/shell"
)

// Explain returns the kubectl commands, for a POSIX shell, that write the
// entry to a kubeconfig from the files of the CA, the certificate and the key.
// Without the name of a CA's file the system's CAs stand for it.
func (e Entry) Explain(path, caFile, certFile, keyFile string) string {
	user := "--client-certificate=" + shell.Quote(certFile) + " --client-key=" + shell.Quote(keyFile)
	if e.CertFile == "" {
		user += " --embed-certs=true"
	}
	return "# a kubeconfig with that certificate\n" + e.explain(path, caFile, user)
}

// explain returns the commands, given the flags that say how the user logs in.
func (e Entry) explain(path, caFile, user string) string {
	server := "--server=" + shell.Quote(e.Server)
	if e.TLSServerName != "" {
		server += " --tls-server-name=" + shell.Quote(e.TLSServerName)
	}
	if e.ProxyURL != "" {
		server += " --proxy-url=" + shell.Quote(e.ProxyURL)
	}
	if caFile != "" {
		server += " --certificate-authority=" + shell.Quote(caFile)
		if e.CAFile == "" {
			server += " --embed-certs=true"
		}
	}
	namespace := ""
	if e.Namespace != "" {
		namespace = " --namespace=" + shell.Quote(e.Namespace)
	}
	return fmt.Sprintf(`umask 077
kubectl config --kubeconfig=%[1]s set-cluster %[2]s %[3]s
kubectl config --kubeconfig=%[1]s set-credentials %[4]s %[5]s
kubectl config --kubeconfig=%[1]s set-context --cluster=%[6]s --user=%[7]s%[8]s %[9]s
kubectl config --kubeconfig=%[1]s use-context %[9]s
`, shell.Quote(path), server, argument(e.Cluster), user, argument(e.User), shell.Quote(e.Cluster), shell.Quote(e.User), namespace, argument(e.Context()))
}

// argument quotes a name that kubectl might take for a flag.
func argument(name string) string {
	if strings.HasPrefix(name, "-") {
		return "-- " + shell.Quote(name)
	}
	return shell.Quote(name)
}

// ExplainReplace returns the kubectl commands, for a POSIX shell, that do what
// Replace does, from files; the paths are quoted, and keyPath is empty where the
// key stays.
func ExplainReplace(data []byte, name string, old *x509.Certificate, certPath, keyPath string) (string, error) {
	config, err := Parse(data, name)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, user := range slices.Sorted(maps.Keys(config.AuthInfos)) {
		if certs := Certificates(config.AuthInfos[user]); len(certs) == 0 || !certs[0].Equal(old) {
			continue
		}
		line := "kubectl config set-credentials " + shell.Quote(user) + " --kubeconfig " + shell.Quote(name) +
			" --embed-certs --client-certificate " + certPath
		if keyPath != "" {
			line += " --client-key " + keyPath
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), nil
}
