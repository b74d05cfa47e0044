package cluster

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/shell"
)

// explanation is a script that is being written.
type explanation struct {
	strings.Builder
	o InitOptions
}

func (x *explanation) line(format string, words ...string) {
	quoted := make([]any, len(words))
	for i, word := range words {
		quoted[i] = shell.Quote(word)
	}
	fmt.Fprintf(x, format+"\n", quoted...)
}

// The functions of the scripts. openssl gets a configuration of its own: that of
// the system may add extensions.
const (
	explainBegin = `set -e
umask 077
work=$(mktemp -d)
trap 'rm -r -- "$work"' EXIT
printf '[req]\ndistinguished_name=subject\nstring_mask=utf8only\n[subject]\n' > "$work/openssl.cnf"
`
	explainKey = `
# key FILE: a private key
key() { openssl genpkey %s -out "$1"; }
`
	explainExtensions = `
# extensions CONSTRAINTS USAGE EXTENDED-USAGE NAMES: what a certificate says beside its subject; those may be empty
extensions() {
  printf 'basicConstraints=critical,%s\nkeyUsage=critical,%s\n' "$1" "$2"
  if [ -n "$3" ]; then printf 'extendedKeyUsage=%s\n' "$3"; fi
  if [ -n "$4" ]; then printf 'subjectAltName=%s\n' "$4"; fi
}
`
	explainSign = `
# sign FILE.key FILE.crt CA SUBJECT DAYS: a certificate that CA.key signs, with the extensions on standard input
sign() {
  { cat; printf 'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'; } > "$work/extensions"
  openssl req -new -utf8 -config "$work/openssl.cnf" -key "$1" -subj "$4" -out "$work/request.csr"
  openssl x509 -req -in "$work/request.csr" -CA "$3.crt" -CAkey "$3.key" -%s -days "$5" -set_serial "0x4$(openssl rand -hex 19)" -extfile "$work/extensions" -out "$2"
  %schmod 644 "$2"
}
`
	explainRoot = `
# root FILE SUBJECT NAMES: a CA that signs itself
root() {
  key "$1.key"
  openssl req -x509 -new -utf8 -config "$work/openssl.cnf" -key "$1.key" -%s -days %d -subj "$2" -set_serial "0x4$(openssl rand -hex 19)" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign -addext "subjectAltName=$3" \
    -addext subjectKeyIdentifier=hash -addext authorityKeyIdentifier=keyid:always -out "$1.crt"
  chmod 644 "$1.crt"
}
`
	explainBelow = `
# below FILE SUBJECT NAMES: a CA that the parent signs, and the file with those above it
below() {
  key "$1.key"
  extensions CA:TRUE,pathlen:0 keyCertSign,cRLSign '' "$3" | sign "$1.key" "$work/ca.crt" "$parent" "$2" %d
  openssl x509 -in "$work/ca.crt" -out "$1.crt"
  if [ -e "$parent-chain.crt" ]; then cat "$1.crt" "$parent-chain.crt"; else cat "$1.crt" "$parent.crt"; fi > "$1-chain.crt"
  chmod 644 "$1.crt" "$1-chain.crt"
}
`
	explainLeaf = `
# leaf FILE CA SUBJECT USAGE EXTENDED-USAGE NAMES: a key and its certificate
leaf() {
  key "$1.key"
  extensions CA:FALSE "$4" "$5" "$6" | sign "$1.key" "$1.crt" "$2" "$3" %d
}
`
	explainKubeconfig = `
# kubeconfig FILE CLUSTER USER SERVER CA KEY CERTIFICATE
kubeconfig() {
  kubectl config --kubeconfig "$1" set-cluster "$2" --server "$4" --certificate-authority "$5" --embed-certs
  kubectl config --kubeconfig "$1" set-credentials "$3" --client-key "$6" --client-certificate "$7" --embed-certs
  kubectl config --kubeconfig "$1" set-context "$3@$2" --cluster "$2" --user "$3"
  kubectl config --kubeconfig "$1" use-context "$3@$2"
} > /dev/null
`
	explainRequest = `
# request KEY FILE.csr SUBJECT CONSTRAINTS USAGE EXTENDED-USAGE NAMES: a certificate request
request() {
  { cat "$work/openssl.cnf"; echo '[extensions]'; extensions "$4" "$5" "$6" "$7"; } > "$work/request.cnf"
  openssl req -new -utf8 -config "$work/request.cnf" -reqexts extensions -key "$1" -subj "$3" -out "$2"
}
`
)

// days are what openssl x509 counts validity in.
func days(d time.Duration) int { return max(1, int(d/(24*time.Hour))) }

// ExplainInit returns the openssl and kubectl commands, for a POSIX shell, that
// make in an empty place what Init makes there.
func ExplainInit(o InitOptions) (string, error) {
	if err := o.checkTogether(); err != nil {
		return "", err
	}
	p, err := newInitPlan(o)
	if err != nil {
		return "", err
	}
	x := &explanation{o: o}
	first := p.nodes[0]
	words := ca.Request{Key: first.node.Key}.OpenSSL()
	x.line("# the keys, certificates and kubeconfigs of a control plane in %s", o.Dir)
	x.WriteString(explainBegin)
	fmt.Fprintf(x, explainKey, words.Genpkey)
	x.WriteString(explainExtensions)
	if o.Requests != "" {
		x.WriteString(explainRequest)
	} else {
		x.functionsThatSign(first.node, words.Digest)
	}
	for _, n := range p.nodes {
		if err := x.node(n, first); err != nil {
			return "", err
		}
	}
	return x.String(), nil
}

func (x *explanation) functionsThatSign(n Node, digest string) {
	behind, caDays := "", days(n.CAValidity)
	if x.o.Parent != "" {
		behind = `if [ "$3" != "$parent" ]; then cat "$3.crt" >> "$2"; fi` + "\n  "
		if x.o.Settings.CAValidity == "" {
			caDays = days(ca.DefaultIntermediateValidity)
		}
	}
	fmt.Fprintf(x, explainSign, digest, behind)
	if x.o.Parent == "" {
		fmt.Fprintf(x, explainRoot, digest, caDays)
	} else {
		fmt.Fprintf(x, explainBelow, caDays)
		x.line("\nparent=%s", strings.TrimSuffix(ca.CertPath(x.o.Parent), ".crt"))
	}
	fmt.Fprintf(x, explainLeaf, days(n.Validity))
	x.WriteString(explainKubeconfig)
}

// node adds the lines for the directory of one node.
func (x *explanation) node(n, first *nodePlan) error {
	x.line("\n# %s", n.node.Name)
	dir := PKIDir(n.dir)
	if n.node.hasEtcd() {
		dir = filepath.Join(dir, "etcd")
	}
	x.line("mkdir -p -- %s", dir)
	for _, entry := range EntriesFor(n.node) {
		if err := x.entry(entry, n, first); err != nil {
			return err
		}
	}
	return nil
}

func (x *explanation) entry(e Entry, n, first *nodePlan) error {
	isShared := n != first && e.IsShared()
	switch {
	case isShared && (e.Kind == KindKeyPair || x.o.Requests == ""):
		for i, path := range e.sharedPaths(first.dir) {
			if e.Kind == KindCA && i == 2 && x.o.Parent == "" { // a root has no chain
				continue
			}
			x.line("cp -p -- %s %s", path, e.sharedPaths(n.dir)[i])
		}
		return nil
	case isShared:
		return nil
	case e.Kind == KindKeyPair:
		x.line("key %s", e.KeyPath(n.dir))
		x.line("openssl pkey -in %s -pubout -out %s", e.KeyPath(n.dir), e.publicPath(n.dir))
		return nil
	}
	if e.Kind == KindCA {
		return x.authority(e, n)
	}
	if x.o.Requests == RequestCAs {
		return nil
	}
	req, err := e.Request(n.node)
	if err != nil {
		return err
	}
	w := req.OpenSSL()
	key, temporary := e.below(n.dir, ""), ""
	if e.Kind == KindKubeconfig {
		temporary = `"$work"/` + e.Name
	}
	switch {
	case x.o.Requests == RequestLeaves && temporary == "":
		x.line("key %s", key+".key")
		x.line("request %s %s %s CA:FALSE %s %s %s", key+".key", e.RequestPath(n.dir), w.Subject, w.Usage, w.Extended, w.Names)
	case x.o.Requests == RequestLeaves:
		x.pendingKubeconfig(e, n, w, temporary)
	case temporary == "":
		x.line("leaf %s %s %s %s %s %s", key, x.authorityOf(e, n), w.Subject, w.Usage, w.Extended, w.Names)
	default:
		x.line("leaf "+temporary+" %s %s %s %s %s", x.authorityOf(e, n), w.Subject, w.Usage, w.Extended, w.Names)
		x.line("kubeconfig %s %s %s %s %s "+temporary+".key "+temporary+".crt",
			e.CertPath(n.dir), n.node.Cluster, e.CommonName(n.node), e.Server(n.node), x.authorityOf(e, n)+".crt")
	}
	return nil
}

// pendingKubeconfig is one with a key, and nothing else, for its user.
func (x *explanation) pendingKubeconfig(e Entry, n *nodePlan, w ca.OpenSSLWords, temporary string) {
	user, cluster := e.CommonName(n.node), n.node.Cluster
	x.line("key " + temporary + ".key")
	x.line("request "+temporary+".key %s %s CA:FALSE %s %s %s", e.RequestPath(n.dir), w.Subject, w.Usage, w.Extended, w.Names)
	config := "kubectl config --kubeconfig " + shell.Quote(e.CertPath(n.dir))
	fmt.Fprintf(x, "%s set-cluster %s --server %s > /dev/null\n", config, shell.Quote(cluster), shell.Quote(e.Server(n.node)))
	fmt.Fprintf(x, "%s set-credentials %s --client-key %s.key --embed-certs > /dev/null\n", config, shell.Quote(user), temporary)
	fmt.Fprintf(x, "%s set-context %s --cluster %s --user %s > /dev/null\n", config, shell.Quote(user+"@"+cluster), shell.Quote(cluster), shell.Quote(user))
	fmt.Fprintf(x, "%s use-context %s > /dev/null\n", config, shell.Quote(user+"@"+cluster))
}

// authority adds the line for a CA.
func (x *explanation) authority(e Entry, n *nodePlan) error {
	sans, err := e.SANs(n.node)
	if err != nil {
		return err
	}
	w := ca.Request{CommonName: e.CommonName(n.node), SANs: sans, Key: n.node.Key}.OpenSSL()
	switch {
	case x.o.Requests == RequestLeaves:
	case x.o.Requests == RequestCAs:
		x.line("key %s", e.KeyPath(n.dir))
		x.line("request %s %s %s CA:TRUE,pathlen:0 keyCertSign,cRLSign '' %s", e.KeyPath(n.dir), e.RequestPath(n.dir), w.Subject, w.Names)
	case x.o.Parent == "":
		x.line("root %s %s %s", e.below(n.dir, ""), w.Subject, w.Names)
	default:
		x.line("below %s %s %s", e.below(n.dir, ""), w.Subject, w.Names)
	}
	return nil
}

// authorityOf is the path of the CA of an entry, without suffix.
func (x *explanation) authorityOf(e Entry, n *nodePlan) string {
	authority, _ := EntryNamed(e.CA)
	return authority.below(n.dir, "")
}

// ExplainFinish returns the openssl and kubectl commands, for a POSIX shell, that
// do what Finish does, but for most of its checks: each certificate of a
// directory goes beside the key that it certifies.
func ExplainFinish(o FinishOptions) (string, error) {
	p, err := newInitPlan(InitOptions{Dir: o.Dir, Settings: o.Settings, Now: o.Now})
	if err != nil {
		return "", err
	}
	x := &explanation{}
	x.line("# the certificates in %s beside their keys in %s", o.Certs, o.Dir)
	x.line("set -e\numask 077\nwork=$(mktemp -d)\ntrap 'rm -r -- \"$work\"' EXIT\ncerts=%s", o.Certs)
	x.WriteString(explainFinish)
	for _, n := range p.nodes {
		x.line("\n# %s", n.node.Name)
		for _, entry := range EntriesFor(n.node) {
			x.finished(entry, n)
		}
	}
	return x.String(), nil
}

const explainFinish = `
# certificate KEY FILE.crt: the certificate of a key, of which there must be one
certificate() {
  wanted=$(openssl pkey -in "$1" -pubout)
  find "$certs" -type f | while read -r file; do
    if [ "$(openssl x509 -in "$file" -noout -pubkey 2> /dev/null)" = "$wanted" ]; then openssl x509 -in "$file"; break; fi
  done > "$work/found"
  [ -s "$work/found" ] || { echo "there is no certificate for $1" >&2; return 1; }
  cp -- "$work/found" "$2" && chmod 644 "$2"
}

# authority FILE.crt LEAF.crt: the certificate of the CA that has signed another, unless it is there
authority() {
  if [ -e "$1" ]; then return; fi
  find "$certs" -type f | while read -r file; do
    if openssl verify -partial_chain -trusted "$file" "$2" > /dev/null 2>&1 && ! openssl x509 -in "$file" | cmp -s - "$2"; then
      openssl x509 -in "$file"; break
    fi
  done > "$work/found"
  [ -s "$work/found" ] || { echo "there is no CA that has signed $2" >&2; return 1; }
  cp -- "$work/found" "$1" && chmod 644 "$1"
}
`

func (x *explanation) finished(e Entry, n *nodePlan) {
	switch authority := x.authorityOf(e, n) + ".crt"; e.Kind {
	case KindLeaf:
		x.line("certificate %s %s", e.KeyPath(n.dir), e.CertPath(n.dir))
		x.line("authority %s %s", authority, e.CertPath(n.dir))
	case KindKubeconfig:
		path := e.CertPath(n.dir)
		temporary := `"$work"/` + e.Name
		x.line("kubectl config --kubeconfig %s view --raw -o jsonpath='{.users[0].user.client-key-data}' | base64 -d > "+temporary+".key", path)
		x.line("certificate " + temporary + ".key " + temporary + ".crt")
		x.line("kubectl config --kubeconfig %s set-credentials %s --client-certificate "+temporary+".crt --embed-certs > /dev/null", path, e.CommonName(n.node))
		x.line("kubectl config --kubeconfig %s set-cluster %s --certificate-authority %s --embed-certs > /dev/null", path, n.node.Cluster, authority)
	}
}
