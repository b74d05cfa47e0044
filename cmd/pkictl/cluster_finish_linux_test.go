package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newRequested returns a directory with a cluster directory that waits for what
// is in certs, all of which is right.
func newRequested(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	shell(t, dir, "pkictl cluster init --csr-only "+cp1+outsideCAs+"dirs=kubernetes"+signAll)
	return dir
}

// resign is a shell function that signs one request again, with more arguments
// for openssl x509, in place of the certificate that certs has for it.
const resign = outsideSigner + `
resign() { ca=$1; request=$2; shift 2
	wanted=$(openssl req -in $request -noout -pubkey)
	for file in certs/*; do if [ "$(openssl x509 -in $file -noout -pubkey 2>/dev/null)" = "$wanted" ]; then rm $file; fi; done
	openssl x509 -req -in $request -CA outside/$ca.crt -CAkey outside/$ca.key "$@" -out certs/resigned 2>/dev/null; }
`

// TestFinishFinds: what is missing or wrong is said, field by field, and nothing
// is written.
func TestFinishFinds(t *testing.T) {
	t.Parallel()
	const request = "kubernetes/pki/apiserver-kubelet-client.csr"
	for name, test := range map[string]struct {
		spoil string
		says  []string // each is in one line
	}{
		"one missing": {
			`resign ca ` + request + ` -days 1; rm certs/resigned`,
			[]string{`kubernetes/pki/apiserver-kubelet-client.crt: file: wanted a certificate for its key, among those in "certs"; found none`},
		},
		"signed by another CA": {
			`resign etcd-ca ` + request + ` -copy_extensions copyall -days 300`,
			[]string{`certs/resigned: CA: wanted O=Outside,CN=ca; found O=Outside,CN=etcd-ca`},
		},
		"without usages and names": {
			`resign ca kubernetes/pki/apiserver.csr -days 300`,
			[]string{`certs/resigned: EKU: wanted server; found none`, `certs/resigned: SAN: wanted cp-1, kubernetes,`},
		},
		"another usage": {
			`echo extendedKeyUsage=serverAuth > ext; resign ca ` + request + ` -days 300 -extfile ext`,
			[]string{`certs/resigned: EKU: wanted client; found server`},
		},
		"another subject": {
			`resign ca kubernetes/admin.conf.csr -days 300 -copy_extensions copyall -subj "/O=system:masters/CN=eve"`,
			[]string{`certs/resigned: CN: wanted kubernetes-admin; found eve`, `certs/resigned: O: wanted kubeadm:cluster-admins; found system:masters`},
		},
		"a CA's": {
			`printf 'basicConstraints=CA:TRUE\nextendedKeyUsage=clientAuth\n' > ext; resign ca ` + request + ` -days 300 -extfile ext`,
			[]string{`certs/resigned: CA: wanted a certificate that signs no others; found that of a CA`},
		},
		"another key": {
			`openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=kube-apiserver-kubelet-client -out other.csr 2>/dev/null
				resign ca ` + request + ` -days 1; n=50; sign ca other.csr; rm certs/resigned`,
			[]string{`apiserver-kubelet-client.crt: file: wanted a certificate for its key`},
		},
		"expired": {
			`resign ca ` + request + ` -copy_extensions copyall -days -1`,
			[]string{`certs/resigned: end: wanted after `},
		},
		"no CA": {
			`rm certs/ca.txt`,
			[]string{`kubernetes/pki/ca.crt: file: wanted the certificate of the CA, among those in "certs"; found none`,
				`apiserver-etcd-client`}[:1],
		},
		"a CA that may not sign": {
			`openssl req -x509 -key outside/ca.key -config /dev/null -subj /O=Outside/CN=ca -days 900 -addext basicConstraints=critical,CA:TRUE -addext keyUsage=digitalSignature -out certs/ca.txt`,
			[]string{`certs/ca.txt: CA: wanted the certificate of a CA; found one that may not sign others`},
		},
		"an expired CA": {
			`openssl x509 -in outside/ca.crt -signkey outside/ca.key -days -1 -clrext -out ca.old 2>/dev/null
				openssl req -x509 -key outside/ca.key -config /dev/null -subj /O=Outside/CN=ca -days -1 -addext basicConstraints=critical,CA:TRUE -out certs/ca.txt 2>/dev/null ||
				{ printf 'basicConstraints=critical,CA:TRUE\n' > ext; openssl req -new -key outside/ca.key -config /dev/null -subj /O=Outside/CN=ca | openssl x509 -req -signkey outside/ca.key -days -1 -extfile ext -out certs/ca.txt; }`,
			[]string{`certs/ca.txt: end: wanted after `},
		},
		"one CA in two places": {
			`resign ca kubernetes/pki/front-proxy-client.csr -copy_extensions copyall -days 300`,
			[]string{`kubernetes/pki/front-proxy-ca.crt: CA: wanted a CA of its own; found the key of kubernetes/pki/ca.crt`},
		},
		"two CAs": { // of which the stranger's ends later
			`mkdir other; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other/ca.key -out certs/zz -config /dev/null -subj /O=Outside/CN=ca -days 9000 -addext basicConstraints=critical,CA:TRUE 2>/dev/null
				n=50; for name in kubernetes/*.csr kubernetes/pki/apiserver.csr ` + request + `; do n=$((n+1)); openssl x509 -req -in $name -CA certs/zz -CAkey other/ca.key -copy_extensions copyall -days 300 -out certs/other$n 2>/dev/null; done`,
			[]string{`kubernetes/pki/ca.crt: CA: wanted one CA that has signed for these keys`},
		},
		"a path length that forbids it": {
			`outside root; cp outside/root.crt certs/root
				openssl req -new -key outside/ca.key -subj /O=Outside/CN=middle -out middle.csr -config /dev/null
				openssl req -x509 -key outside/root.key -config /dev/null -subj /CN=top -days 900 -addext basicConstraints=critical,CA:TRUE,pathlen:0 -out outside/root.crt
				openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout outside/low.key -config /dev/null -subj /CN=low -out low.csr 2>/dev/null
				printf 'basicConstraints=critical,CA:TRUE\n' > ext
				openssl x509 -req -in middle.csr -CA outside/root.crt -CAkey outside/root.key -extfile ext -days 800 -out outside/ca.crt 2>/dev/null
				openssl x509 -req -in low.csr -CA outside/ca.crt -CAkey outside/ca.key -extfile ext -days 800 -out outside/low.crt 2>/dev/null
				cp outside/root.crt certs/top; cp outside/ca.crt certs/middle; cp outside/low.crt certs/low; rm certs/ca.*
				for name in kubernetes/*.csr kubernetes/pki/apiserver.csr ` + request + `; do sign low $name; done`,
			[]string{`certs/low: CA: wanted a chain to CN=top`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newRequested(t)
			script, _, _ := strings.Cut(outsideCAs, "for ca in")
			_, function, _ := strings.Cut(script, "mkdir -p outside certs\n")
			shell(t, dir, function+resign+strings.ReplaceAll(test.spoil, "\t", ""))
			before := snapshot(t, dir)
			got := runProgram(t, program(dir, "cluster", "finish", "--certs", "certs"))
			if got.code != 3 || got.stderr != "" {
				t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			_, found, _ := strings.Cut(got.stdout, "not as it should be:\n")
			for _, says := range test.says {
				if strings.Count(found, says) != 1 {
					t.Errorf("want %q in\n%s", says, found)
				}
			}
			if name != "no CA" && name != "a CA that may not sign" && strings.Count(found, "\n") != len(test.says) {
				t.Errorf("more than %q is said:\n%s", test.says, found)
			}
			checkUnchanged(t, "finish", dir, before)
		})
	}
}

// TestFinishChooses: of several certificates for a key the newest that is right
// is taken, and what else is in the directory does no harm.
func TestFinishChooses(t *testing.T) {
	t.Parallel()
	dir := newRequested(t)
	shell(t, dir, outsideSigner+`request=kubernetes/pki/apiserver-kubelet-client.csr
		openssl x509 -req -in $request -CA outside/ca.crt -CAkey outside/ca.key -days 600 -out certs/wrong 2>/dev/null
		sleep 1; openssl x509 -req -in $request -CA outside/ca.crt -CAkey outside/ca.key -copy_extensions copyall -days 200 -out certs/newest 2>/dev/null
		sleep 1; openssl x509 -req -in $request -CA outside/ca.crt -CAkey outside/ca.key -days 600 -out certs/newer-and-wrong 2>/dev/null
		head -c 3000000 /dev/zero > certs/huge.pem; head -c 5000 /dev/urandom > certs/noise; echo '-----BEGIN CERTIFICATE-----' > certs/cut.crt
		: > certs/empty; cp outside/ca.key certs; mkfifo certs/pipe
		ln -s . certs/loop; ln -s certs certs/certs; ln -s nowhere certs/nowhere; mkdir -p certs/a/b; mv certs/ca.txt certs/a/b
		openssl crl2pkcs7 -nocrl -certfile outside/ca.crt -out certs/windows.p7b`)
	got := runProgram(t, program(dir, "cluster", "finish", "--certs", "certs"))
	if got.code != 0 {
		t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	for _, says := range []string{`read in "certs/huge.pem"`, `read in "certs/cut.crt"`, `read in "certs/windows.p7b"; take them out with: openssl pkcs7`} {
		if strings.Count(got.stderr, says) != 1 {
			t.Errorf("want %q in\n%s", says, got.stderr)
		}
	}
	if strings.Count(got.stdout, ", SHA-256 ") != 3 {
		t.Errorf("want the fingerprints of three CAs in\n%s", got.stdout)
	}
	shell(t, dir, "cmp certs/newest kubernetes/pki/apiserver-kubelet-client.crt; ! grep -r PRIVATE kubernetes/pki/*.crt kubernetes/pki/inventory.db")
	keptByInit(t, dir)
}

// TestFinishRefuses: one error, one hint, and nothing changes.
func TestFinishRefuses(t *testing.T) {
	t.Parallel()
	finish := in("cluster", "finish", "--certs", "certs")
	for _, test := range []struct {
		name, prepare string
		args          []string
		code          int
		says, hint    string
	}{
		{"no --certs", "", in("cluster", "finish"), 2, "--certs is missing", "--certs DIR"},
		{"no such directory", "rm -r certs", finish, 1, `cannot read "certs"`, "--certs"},
		{"a file", "rm -r certs; : > certs", finish, 1, `"certs" is not a directory`, "directory"},
		{"an empty directory", "rm -r certs; mkdir certs", finish, 1, `there is no certificate below "certs"`, "PEM or DER"},
		{"too many files", "mkdir certs/many; cd certs/many; seq 2001 | xargs touch", finish, 1, "more than 2000 files", "a directory of their own"},
		{"too many certificates", "cat certs/ca.txt > one; for i in 1 2 3 4 5 6 7; do cat one one one one > two; mv two one; done; mv one certs/huge.pem; " +
			"mkdir certs/many; cd certs/many; seq 2001 | xargs touch", finish, 1, "more than 2000 files", "a directory of their own"},
		{"a kubeconfig of others", "kubectl config --kubeconfig kubernetes/admin.conf set-cluster mine --server https://x", finish, 1, "holds other entries", "merge"},
		{"repair of what waits", "", in("cluster", "init", "--repair"), 1, "waits for the certificate", "cluster finish"},
		{"repair and requests", "", in("cluster", "init", "--csr-only", "--repair"), 2, "exclude each other", "leave one"},
		{"parent and requests", "", in("cluster", "init", "--csr-only", "--parent", "pki"), 2, "exclude each other", "leave one"},
		{"other requests", "", in("cluster", "init", "--csr-only=all"), 2, `no requests "all"`, "leaves, cas"},
		{"no parent", "rm -r kubernetes", in("cluster", "init", "--parent", "nothing"), 1, `there is no CA in "nothing"`, "init-ca"},
		{"a parent that may have none below", "rm -r kubernetes; pkictl init-ca --cn Root --path-length 0", in("cluster", "init", "--parent", "pki"), 2, "allows no CA below", "path length"},
		{"a parent with the name of a CA", "rm -r kubernetes; pkictl init-ca --cn kubernetes", in("cluster", "init", "--parent", "pki"), 2, "the name of a CA above", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := newRequested(t)
			shell(t, dir, test.prepare)
			before := snapshot(t, dir)
			got := runProgram(t, program(dir, test.args...))
			checkRefusal(t, "run", got, test.code, test.says, test.hint)
			checkUnchanged(t, "run", dir, before)
		})
	}
}

// TestKillFinish kills cluster finish before every one of its system calls that
// change anything: each certificate is there or not, all of them or none, and the
// next run completes it.
func TestKillFinish(t *testing.T) {
	t.Parallel()
	for _, how := range []struct{ name, begin string }{
		{"leaves", "pkictl cluster init --csr-only " + cp1 + outsideCAs + "dirs=kubernetes" + signAll},
		{"cas", "pkictl cluster init --csr-only=cas " + cp1 + outsideCAs + "outside root; for name in ca front-proxy-ca etcd/ca; do sign root kubernetes/pki/$name.csr; done"},
	} {
		t.Run(how.name, func(t *testing.T) {
			t.Parallel()
			first := t.TempDir()
			shell(t, first, how.begin)
			old, done := 0, 0
			for n := 1; ; n++ {
				dir := filepath.Join(t.TempDir(), "copy")
				shell(t, first, "cp -a . "+dir)
				if _, reached := breakAt(t, program(dir, "cluster", "finish", "--certs", "certs"), n, killed); !reached {
					break
				}
				placed := 0
				names := []string{"pki/ca.crt", "pki/front-proxy-ca.crt", "pki/etcd/ca.crt"}
				if how.name == "leaves" {
					names = append(names, "pki/apiserver.crt", "pki/front-proxy-client.crt", "pki/etcd/peer.crt", "pki/apiserver-etcd-client.crt")
				}
				for _, name := range names {
					if _, err := os.Stat(filepath.Join(dir, "kubernetes", name)); err == nil {
						placed++
					}
				}
				if placed == len(names) {
					done++
				} else {
					old++
				}
				shell(t, dir, `pkictl cluster finish --certs certs; [ -z "$(find kubernetes -name '.*.link' -o -type l)" ]`)
				keptByInit(t, dir)
				ok(t, os.RemoveAll(dir))
			}
			if old < 10 || done < 5 {
				t.Errorf("killed %d times before, %d times after the certificates were there", old, done)
			}
		})
	}
}

// TestKillParent does the same to cluster init --parent.
func TestKillParent(t *testing.T) {
	t.Parallel()
	first := t.TempDir()
	shell(t, first, "pkictl init-ca --cn Root --dir root")
	command := append(in("cluster", "init", "--parent", "root"), strings.Fields(cp1)...)
	n := 1
	for ; ; n += 7 { // four changes by the same store
		dir := filepath.Join(t.TempDir(), "copy")
		shell(t, first, "cp -a . "+dir)
		if _, reached := breakAt(t, program(dir, command...), n, killed); !reached {
			break
		}
		do(t, dir, command...)
		keptByInit(t, dir)
		if t.Failed() {
			t.Fatalf("killed at %d", n)
		}
		shell(t, dir, "cd kubernetes/pki; for name in ca front-proxy-ca etcd/ca; do openssl verify -CAfile ../../root/ca.crt $name.crt; done")
		ok(t, os.RemoveAll(dir))
	}
	if n < 100 {
		t.Errorf("killed at %d system calls only", n)
	}
}

// TestIntermediatesOnRealControlPlane: all parts work below one root, and the
// API server knows its clients from etcd's.
func TestIntermediatesOnRealControlPlane(t *testing.T) {
	t.Parallel()
	peers(t)
	dir := t.TempDir()
	shell(t, dir, `pkictl init-ca --cn Root --dir root
		pkictl cluster init --parent root `+cp1)
	t.Cleanup(func() {
		if got := runProgram(t, program(dir, "cluster", "down")); got.code != 0 {
			t.Error(got.stderr)
		}
	})
	shell(t, dir, `pkictl cluster up --port auto --unsafe-no-fsync`)
	configs, err := filepath.Glob(filepath.Join(dir, "kubernetes", "run", "*.conf"))
	ok(t, err)
	if len(configs) == 0 {
		t.Fatal("cluster up wrote no kubeconfig")
	}
	out := shell(t, dir, `conf=$(ls kubernetes/run/*.conf kubernetes/run/kubeconfig 2>/dev/null | head -n 1)
		kubectl --kubeconfig $conf auth whoami
		kubectl --kubeconfig $conf get namespaces
		server=$(kubectl --kubeconfig $conf config view --minify -o jsonpath='{.clusters[0].cluster.server}')
		access() { kubectl --kubeconfig /dev/null --server $server --tls-server-name kubernetes --certificate-authority kubernetes/pki/ca.crt --client-certificate $1.crt --client-key $1.key get --raw /api/v1/namespaces; }
		access kubernetes/pki/apiserver-kubelet-client > client.out 2>&1 || true
		cat client.out
		grep kube-apiserver-kubelet-client client.out
		pkictl issue --dir kubernetes/pki --cn root-like --group system:masters --out mine -q
		access mine > /dev/null
		mkdir etcd; cp kubernetes/pki/etcd/* etcd
		pkictl issue --dir etcd --cn root-like --group system:masters --out theirs -q
		cat root/ca.crt >> theirs.crt
		if access theirs > theirs.out 2>&1; then echo "etcd's client got in"; exit 1; fi
		cat theirs.out`)
	if !strings.Contains(out, "Unauthorized") && !strings.Contains(out, "unknown certificate authority") && !strings.Contains(out, "provide credentials") {
		t.Errorf("the client of etcd's CA:\n%s", out)
	}
}
