package kubeconfig

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Explain returns the kubectl commands, for a POSIX shell, that write the
// entry to a kubeconfig from the files of the CA, the certificate and the key.
func (e Entry) Explain(path, caFile, certFile, keyFile string) string {
	q := quote
	namespace := ""
	if e.Namespace != "" {
		namespace = " --namespace=" + q(e.Namespace)
	}
	return fmt.Sprintf(`# a kubeconfig with that certificate
umask 077
kubectl config --kubeconfig=%[1]s set-cluster --server=%[3]s --certificate-authority=%[4]s --embed-certs=true %[10]s
kubectl config --kubeconfig=%[1]s set-credentials --client-certificate=%[6]s --client-key=%[7]s --embed-certs=true %[11]s
kubectl config --kubeconfig=%[1]s set-context --cluster=%[2]s --user=%[5]s%[9]s %[8]s
kubectl config --kubeconfig=%[1]s use-context %[8]s
`, q(path), q(e.Cluster), q(e.Server), q(caFile), q(e.User), q(certFile), q(keyFile), argument(e.Context()), namespace,
		argument(e.Cluster), argument(e.User))
}

// argument quotes a name that kubectl might take for a flag.
func argument(name string) string {
	if strings.HasPrefix(name, "-") {
		return "-- " + quote(name)
	}
	return quote(name)
}

// quote quotes a word for a POSIX shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

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
		line := "kubectl config set-credentials " + quote(user) + " --kubeconfig " + quote(name) +
			" --embed-certs --client-certificate " + certPath
		if keyPath != "" {
			line += " --client-key " + keyPath
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), nil
}
