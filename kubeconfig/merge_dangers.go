package kubeconfig

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// danger is something in an entry that is not merged unseen.
type danger struct {
	text string
	flag string // that allows it
}

// Flags that allow dangers.
const (
	allowExec     = "--allow-exec"
	allowInsecure = "--allow-insecure"
	allowSending  = "--allow-token-file"
)

// dangersOf says what an entry would let its author do: run programs as whoever
// uses it, read what is sent, or get a file.
func dangersOf(e *entry) []danger {
	var found []danger
	add := func(flag, format string, args ...any) {
		what := fmt.Sprintf("%s %q of %q ", e.noun, e.was, e.source.path)
		found = append(found, danger{what + fmt.Sprintf(format, args...), flag})
	}
	switch v := e.value.(type) {
	case *api.AuthInfo:
		if v.Exec != nil {
			add(allowExec, "runs the command %q", v.Exec.Command)
		}
		if v.AuthProvider != nil {
			add(allowExec, "uses the auth-provider %q", v.AuthProvider.Name)
		}
		// Whoever wrote it chose the file, and the server that gets it.
		if v.TokenFile != "" {
			add(allowSending, "sends what is in %q to its API server (tokenFile)", v.TokenFile)
		}
	case *api.Cluster:
		if v.InsecureSkipTLSVerify {
			add(allowInsecure, "does not check the API server's certificate (insecure-skip-tls-verify)")
		}
		if v.ProxyURL != "" {
			add(allowInsecure, "sends all through the proxy %s (proxy-url)", kubeclient.ShowURL(v.ProxyURL))
		}
		if !strings.HasPrefix(strings.ToLower(v.Server), "https://") {
			add(allowInsecure, "has the API server %q, which is not https", kubeclient.ShowURL(v.Server))
		}
	}
	return found
}

// refuseDangers refuses what was not allowed.
func (p *plan) refuseDangers() error {
	const most = 3
	var texts, flags []string
	more := 0
	allowed := map[string]bool{allowExec: p.AllowExec, allowInsecure: p.AllowInsecure, allowSending: p.AllowTokenFile}
	for _, d := range p.dangers {
		if allowed[d.flag] {
			continue
		}
		if texts = append(texts, d.text); len(texts) > most {
			texts, more = texts[:most], more+1
		}
		if !slices.Contains(flags, d.flag) {
			flags = append(flags, d.flag)
		}
	}
	if texts == nil {
		return nil
	}
	text := strings.Join(texts, "; ")
	if more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return failure.New(failure.Refused, "look at it in the file; if you trust who wrote it, add "+strings.Join(flags, " "), "%s", text)
}

// describe says what an entry is, and nothing of its secrets.
func describe(value any) string {
	switch v := value.(type) {
	case *api.Cluster:
		return kubeclient.ShowURL(v.Server)
	case *api.Context:
		return fmt.Sprintf("user %q of cluster %q", v.AuthInfo, v.Cluster)
	case *api.AuthInfo:
		certs := Certificates(v)
		switch {
		case len(certs) > 0:
			return fmt.Sprintf("certificate of %q, serial %x", certs[0].Subject.CommonName, certs[0].SerialNumber)
		case v.ClientCertificate != "":
			return fmt.Sprintf("certificate in %q", v.ClientCertificate)
		case v.Exec != nil:
			return fmt.Sprintf("command %q", v.Exec.Command)
		case v.TokenFile != "":
			return fmt.Sprintf("token in %q", v.TokenFile)
		case v.Token != "":
			return "a token"
		}
	}
	return "something else"
}
