package kubeconfig

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/shell"
)

// userCheck is a user whose credential is looked at.
type userCheck struct {
	*checker
	user *userState
	file string
}

func (u userCheck) find(check, hint, format string, args ...any) {
	u.checker.find(u.file, u.user.contexts, check, hint, format, args...)
	u.user.askable = false
}

func (u userCheck) note(check, hint, format string, args ...any) {
	u.checker.note(u.file, u.user.contexts, check, hint, format, args...)
}

// checkUsers looks at what users log in with, without asking anybody.
func (c *checker) checkUsers(ctx context.Context, v *view) error {
	for _, name := range slices.Sorted(maps.Keys(v.users)) {
		user := v.users[name]
		user.askable = true
		u := userCheck{c, user, user.entry.LocationOfOrigin}
		if err := u.checkCertificate(ctx, v); err != nil {
			return err
		}
		u.checkTokens()
		u.checkPlugins()
		if len(Credentials(user.entry)) == 0 {
			u.find("credential", "see: kubectl config set-credentials --help", "user %q has nothing to log in with", name)
		}
	}
	return nil
}

// checkCertificate looks at a client certificate and its key.
func (u userCheck) checkCertificate(ctx context.Context, v *view) error {
	entry, reader := u.user.entry, Reader{Name: u.file}
	part, key := reader.ClientCertificate(entry), reader.ClientKey(entry)
	u.checkKeyFile(key)
	if part == nil {
		return nil
	}
	certs := u.certificates(part)
	if len(certs) == 0 {
		return nil
	}
	cert := certs[0]
	end := cert.NotAfter.UTC()
	u.user.cert, u.user.ends = cert, &end
	u.checkValidity(cert)
	if check := ca.CheckUsage(cert, ca.PurposeClient); check.Status == ca.CheckFailed {
		u.find("certificate", check.Hint, "the client certificate is for %s", check.Found)
	}
	u.checkPair(cert, key)
	u.checkIssuer(certs, v)
	return u.checkInventory(ctx, cert)
}

// certificates returns those of a part, none where it says what is wrong.
func (u userCheck) certificates(part *Part) []*x509.Certificate {
	certs := ca.Certificates(part.Items)
	switch {
	case part.Err != nil:
		u.find("certificate", "issue it again, or correct the path; relative ones begin at the directory of the kubeconfig", "%v", part.Err)
		return nil
	case len(certs) == 0:
		u.find("certificate", "issue it again", "there is no certificate in the client certificate of user %q", u.user.name)
	}
	return certs
}

func (u userCheck) checkValidity(cert *x509.Certificate) {
	hint := "renew it with: pkictl user renew " + shell.Quote(u.file) + ", or where the CA is with: pkictl renew NAME"
	switch now := u.o.Now; {
	case now.Before(cert.NotBefore):
		u.find("certificate", "check the clock of this machine and of the one that issued it", "the client certificate is not valid before %s", day(cert.NotBefore))
	case now.After(cert.NotAfter):
		u.find("certificate", hint, "the client certificate expired on %s", day(cert.NotAfter))
	case u.o.endsSoon(cert.NotBefore, cert.NotAfter):
		u.checker.find(u.file, u.user.contexts, "certificate", hint, "the client certificate ends in %s, on %s", ca.FormatValidity(cert.NotAfter.Sub(now)), day(cert.NotAfter))
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }

func (u userCheck) checkPair(cert *x509.Certificate, key *Part) {
	const hint = "find the key that the certificate was made for, or issue both again"
	if key != nil && key.Err != nil {
		u.find("key", hint, "%v", key.Err)
		return
	}
	switch check := CheckKey(cert, key); check.Status {
	case ca.CheckFailed:
		u.find("key", check.Hint, "wanted %s; found %s", check.Wanted, check.Found)
	case ca.CheckSkipped: // client-go reads neither
		u.find("key", "decrypt it, or log in with an exec plugin", "kubectl cannot use the client key: %s", check.Reason)
	}
}

// checkKeyFile looks at the mode of a key in a file of its own.
func (u userCheck) checkKeyFile(key *Part) {
	if key == nil || key.File == "" {
		return
	}
	if info, err := os.Stat(key.File); err == nil {
		u.checkMode(u.file, u.user.contexts, info, "the key "+key.File, key.File)
	}
}

// checkIssuer finds a certificate by a CA of the same name as the cluster's
// and another key. A CA of another name says nothing: that of the clients need
// not be that of the server.
func (u userCheck) checkIssuer(certs []*x509.Certificate, v *view) {
	for _, name := range slices.Sorted(maps.Keys(v.clusters)) {
		cluster := v.clusters[name]
		both := slices.DeleteFunc(slices.Clone(u.user.contexts), func(name string) bool { return !slices.Contains(cluster.contexts, name) })
		if len(cluster.trusts) == 0 || len(both) == 0 {
			continue
		}
		roots := ca.Roots{Name: "cluster " + cluster.name, Certificates: cluster.trusts}
		_, check := roots.Check(certs[0], certs[1:], u.o.Now)
		if check.Status == ca.CheckFailed && strings.HasPrefix(check.Found, "an issuer of that name") {
			u.checker.find(u.file, both, "certificate", check.Hint, "the client certificate is by %s", check.Found)
		}
	}
}

// checkInventory asks the PKI directory what became of a certificate of its CA.
func (u userCheck) checkInventory(ctx context.Context, cert *x509.Certificate) error {
	isOther := u.authority == nil || cert.CheckSignatureFrom(u.authority.Certificate) != nil
	if isOther {
		return nil
	}
	entries, err := ca.List(ctx, ca.ListOptions{Dir: u.o.Dir, Serial: cert.SerialNumber, Now: u.o.Now})
	if err != nil || len(entries) == 0 {
		return u.dirFails(ctx, err)
	}
	switch entry := entries[0]; entry.State {
	case ca.StateRevoked:
		u.checker.find(u.file, u.user.contexts, "inventory", "issue another one; the API server takes this one until it ends",
			"the client certificate was revoked on %s for the reason %s", day(*entry.RevokedAt), entry.Reason)
	case ca.StateReplaced:
		u.checker.find(u.file, u.user.contexts, "inventory", "take the newer one with: pkictl kubeconfig create "+shell.Quote(entry.Name)+" --force",
			"the client certificate was replaced by another in %s", u.o.Dir)
	}
	return nil
}

// checkTokens looks at tokens and passwords, which are never shown.
func (u userCheck) checkTokens() {
	entry := u.user.entry
	if entry.Password != "" || entry.Username != "" {
		u.find("credential", "use a client certificate or a token", "API servers take no user name and password since Kubernetes 1.19")
	}
	token, where := entry.Token, "the token"
	if entry.TokenFile != "" { // it goes before the other
		where = "the token in " + entry.TokenFile
		u.checkWritable(u.file, u.user.contexts, where, entry.TokenFile)
		data, err := readFile(entry.TokenFile)
		if err != nil {
			u.find("credential", "correct the path; relative ones begin at the directory of the kubeconfig", "%v", err)
			return
		}
		token = strings.TrimSpace(string(data))
	}
	if token == "" {
		return
	}
	begin, end := tokenLife(token)
	if end.IsZero() {
		u.note("credential", "short ones come from: kubectl create token", "%s does not say when it ends: who has a copy may use it until it is taken back", where)
		return
	}
	u.user.ends = &end
	switch left := end.Sub(u.o.Now); {
	case left < 0:
		u.find("credential", "get another one", "%s expired on %s", where, day(end))
	case u.o.endsSoon(begin, end):
		u.checker.find(u.file, u.user.contexts, "credential", "get another one", "%s ends in %s, on %s", where, ca.FormatValidity(left), day(end))
	}
}

// tokenLife returns begin and end that a JSON web token says (RFC 7519, 4.1.4
// and 4.1.6), each zero where it does not. Its signature is not looked at.
func tokenLife(token string) (begin, end time.Time) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return begin, end
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Issued float64 `json:"iat"`
		End    float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(data, &claims) != nil {
		return begin, end
	}
	return claimedTime(claims.Issued), claimedTime(claims.End)
}

func claimedTime(seconds float64) time.Time {
	const year9999 = 253402300799
	if seconds <= 0 || seconds > year9999 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

// execVersions are the API versions of exec plugins that client-go knows.
var execVersions = []string{ExecAPIVersion, "client.authentication.k8s.io/v1beta1"}

// checkPlugins looks at what gets the credential from elsewhere. Nothing is run.
func (u userCheck) checkPlugins() {
	entry := u.user.entry
	if entry.AuthProvider != nil {
		u.find("credential", "use the exec plugin of the provider", "auth provider %q: kubectl has none since 1.26", entry.AuthProvider.Name)
	}
	if entry.Exec == nil {
		return
	}
	u.user.askable = false // it would have to be run
	u.checkExec(entry.Exec)
}

func (u userCheck) checkExec(plugin *api.ExecConfig) {
	if !slices.Contains(execVersions, plugin.APIVersion) {
		u.find("exec", "write apiVersion: "+execVersions[0]+" if the plugin knows it", "kubectl knows no exec plugins of version %q", plugin.APIVersion)
	}
	if plugin.Command == "" {
		u.find("exec", "see: kubectl config set-credentials --help", "the exec plugin of user %q names no command", u.user.name)
		return
	}
	path, err := exec.LookPath(plugin.Command)
	if err != nil {
		reason := "it is not in PATH"
		if strings.ContainsRune(plugin.Command, os.PathSeparator) {
			reason = cause(err)
		}
		hint, _, _ := strings.Cut(strings.TrimSpace(plugin.InstallHint), "\n")
		u.find("exec", cmp.Or(hint, "install it, or correct the path"), "the exec plugin %q cannot be run: %s", plugin.Command, reason)
		return
	}
	u.checkWritable(u.file, u.user.contexts, "the exec plugin "+path, path)
}

// cause returns what the system said of a program.
func cause(err error) string {
	if cause, ok := err.(*exec.Error); ok { //nolint:errorlint // LookPath returns it as it is
		return cause.Err.Error()
	}
	return err.Error()
}
