package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// outsideCAs are three CAs that pkictl has nothing to do with, and sign, which
// has one of them sign a request as openssl x509 does.
const outsideCAs = `
mkdir -p outside certs
outside() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout outside/$1.key -out outside/$1.crt -days 3650 \
  -subj "/O=Outside/CN=$1" -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null; cp outside/$1.crt certs/$1.txt; }
for ca in ca front-proxy-ca etcd-ca; do outside $ca; done
` + outsideSigner

// outsideSigner is the shell function sign CA REQUEST.
const outsideSigner = `
n=0
sign() { n=$((n+1)); openssl x509 -req -in "$2" -CA outside/$1.crt -CAkey outside/$1.key -copy_extensions copyall -days 300 -out certs/$1.$n 2>/dev/null; }
`

// signAll signs the requests of the cluster directories that are named, each
// with the CA that is right.
const signAll = `
for dir in $dirs; do
  for name in $dir/*.csr $dir/pki/apiserver.csr $dir/pki/apiserver-kubelet-client.csr; do sign ca $name; done
  sign front-proxy-ca $dir/pki/front-proxy-client.csr
  for name in $dir/pki/etcd/*.csr $dir/pki/apiserver-etcd-client.csr; do sign etcd-ca $name; done
done
`

const cp1 = "--node cp-1 --advertise-address 10.0.0.11"

// kubeadmCP1 is for the node of cp1.
const kubeadmCP1 = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.0.0.11}
nodeRegistration: {name: cp-1}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
`

// keptByKubeadm has kubeadm make what is missing of a cluster directory, and
// fails unless that is nothing. With an external CA kubeadm looks for
// kubeconfigs in /etc/kubernetes, wherever the certificates are; so it gets a
// root directory of its own.
func keptByKubeadm(t *testing.T, dir, config string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root")
	ok(t, os.MkdirAll(filepath.Join(root, "etc"), 0o700))
	ok(t, os.WriteFile(filepath.Join(root, "kubeadm.yaml"), []byte(config), 0o600))
	shell(t, dir, "cp -a kubernetes "+root+"/etc/kubernetes")
	before := snapshot(t, root)
	shell(t, dir, `as_root=; [ $(id -u) = 0 ] || as_root="unshare --map-root-user"
		for phase in certs kubeconfig; do $as_root kubeadm --rootfs `+root+` init phase $phase all --config /kubeadm.yaml; done`)
	checkUnchanged(t, "kubeadm", root, before)
}

// keptByInit has cluster init look at a directory, which is right.
func keptByInit(t *testing.T, dir string) {
	t.Helper()
	const cluster = "kubernetes"
	before := snapshot(t, filepath.Join(dir, cluster))
	for _, line := range strings.Split(strings.TrimSpace(shell(t, dir, "pkictl cluster init --dir "+cluster)), "\n") {
		if fields := strings.Fields(line); strings.HasPrefix(line, cluster+"/") && fields[1] != "kept" {
			t.Error(line)
		}
	}
	checkUnchanged(t, "cluster init", filepath.Join(dir, cluster), before)
}

// TestExternalCAs: what three CAs elsewhere have signed for the requests of
// cluster init is what kubeadm takes with an external CA.
func TestExternalCAs(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"ecdsa-p256", "rsa-2048"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			shell(t, dir, "pkictl cluster init --csr-only --key "+key+" "+cp1)
			before := snapshot(t, filepath.Join(dir, "kubernetes"))
			shell(t, dir, "pkictl cluster init --csr-only")
			checkUnchanged(t, "again", filepath.Join(dir, "kubernetes"), before)
			shell(t, dir, outsideCAs+"dirs=kubernetes\n"+signAll+`
				pkictl cluster finish --certs certs --dry-run
				pkictl cluster finish --certs certs`)
			keptByInit(t, dir)
			keptByKubeadm(t, dir, kubeadmCP1)
			before = snapshot(t, filepath.Join(dir, "kubernetes"))
			shell(t, dir, `pkictl cluster finish --certs certs
				for name in apiserver apiserver-kubelet-client; do openssl verify -x509_strict -CAfile kubernetes/pki/ca.crt kubernetes/pki/$name.crt; done
				for name in server peer healthcheck-client; do openssl verify -x509_strict -CAfile kubernetes/pki/etcd/ca.crt kubernetes/pki/etcd/$name.crt; done
				pkictl lint kubernetes/pki/*.crt kubernetes/pki/etcd/*.crt`)
			checkUnchanged(t, "again", filepath.Join(dir, "kubernetes"), before)
			if out := shell(t, dir, "pkictl list --dir kubernetes/pki"); strings.Count(out, "valid") != 15 {
				t.Errorf("the inventory has\n%s", out)
			}
			// The same requests a year later: what ends later takes the place.
			shell(t, dir, `
				cp kubernetes/pki/apiserver.key key
				openssl x509 -req -in kubernetes/pki/apiserver.csr -CA outside/ca.crt -CAkey outside/ca.key -copy_extensions copyall -days 700 -out certs/later 2>/dev/null
				pkictl cluster finish --certs certs
				cmp key kubernetes/pki/apiserver.key
				cmp certs/later kubernetes/pki/apiserver.crt`)
			keptByKubeadm(t, dir, kubeadmCP1)
		})
	}
}

// TestFinishOfKubeadm: a directory that kubeadm certs generate-csr began, whose
// requests say nothing of usages, with CAs that kubeadm made.
func TestFinishOfKubeadm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := kubeadmCP1 + "clusterName: prod\ncontrolPlaneEndpoint: k8s.example.com:6443\n"
	ok(t, os.WriteFile(filepath.Join(dir, "kubeadm.yaml"), []byte(config), 0o600))
	shell(t, dir, `kubeadm certs generate-csr --config kubeadm.yaml --cert-dir "$PWD/kubernetes/pki" --kubeconfig-dir "$PWD/kubernetes"
		for ca in ca front-proxy-ca etcd-ca; do kubeadm init phase certs $ca --cert-dir "$PWD/other"; done
		mkdir certs; cp other/ca.crt certs/1; cp other/front-proxy-ca.crt certs/2; cp other/etcd/ca.crt certs/3
		sign() { n=$((n+1)); { openssl req -in "$2" -noout -text | sed -n '/DNS:/{s/ *//;s/IP Address/IP/g;s/^/subjectAltName=/;p}'; echo "extendedKeyUsage=$3"; echo "keyUsage=digitalSignature,keyEncipherment"; } > ext
			openssl x509 -req -in "$2" -CA other/$1.crt -CAkey other/$1.key -extfile ext -days 300 -out certs/x$n 2>/dev/null; }
		n=0
		for name in kubernetes/*.csr kubernetes/pki/apiserver-kubelet-client.csr; do sign ca $name clientAuth; done
		sign ca kubernetes/pki/apiserver.csr serverAuth
		sign front-proxy-ca kubernetes/pki/front-proxy-client.csr clientAuth
		for name in server peer; do sign etcd/ca kubernetes/pki/etcd/$name.csr serverAuth,clientAuth; done
		for name in etcd/healthcheck-client apiserver-etcd-client; do sign etcd/ca kubernetes/pki/$name.csr clientAuth; done
		cat certs/x1 certs/x2 > certs/bundle.pem; rm certs/x1 certs/x2
		cp -a kubernetes again
		pkictl cluster finish --certs certs
		# init has the requests say more, for the same keys.
		pkictl cluster init --dir again --node cp-1 --advertise-address 10.0.0.11 --endpoint k8s.example.com:6443 --name prod --csr-only
		cmp kubernetes/pki/apiserver.key again/pki/apiserver.key
		openssl req -in again/pki/apiserver.csr -noout -verify -text | grep 'TLS Web Server Authentication'
		pkictl cluster finish --dir again --certs certs
		for name in admin.conf kubelet.conf pki/apiserver.crt pki/etcd/ca.crt; do cmp kubernetes/$name again/$name; done`)
	shell(t, dir, `grep -q 'cluster: prod' kubernetes/admin.conf; test ! -e kubernetes/cluster.yaml`)
	keptByKubeadm(t, dir, config)
	keptByInit(t, dir)
}

// TestSignersOfRequests: others who sign the requests of cluster init copy what
// is asked for, or give it themselves.
func TestSignersOfRequests(t *testing.T) {
	t.Parallel()
	for name, signer := range map[string]string{
		"openssl ca": `
			cat > ca.cnf <<-END
				[ca]
				default_ca=any
				[any]
				database=\$ENV::PWD/index.txt
				new_certs_dir=\$ENV::PWD/outside
				rand_serial=yes
				unique_subject=no
				copy_extensions=copy
				policy=policy
				default_md=sha256
				x509_extensions=extensions
				[extensions]
				authorityKeyIdentifier=keyid
				subjectKeyIdentifier=hash
				[policy]
				commonName=supplied
				organizationName=optional
				END
			: > index.txt
			sign() { n=$((n+1)); openssl ca -batch -notext -config ca.cnf -cert outside/$1.crt -keyfile outside/$1.key -days 300 -in $2 -out certs/$1.$n 2>/dev/null; }`,
		"cfssl": `
			echo '{"signing":{"default":{"expiry":"8000h"},"profiles":{"server":{"expiry":"8000h","usages":["digital signature","server auth"]},
				"peer":{"expiry":"8000h","usages":["digital signature","server auth","client auth"]},"client":{"expiry":"8000h","usages":["digital signature","client auth"]}}}}' > config.json
			sign() { n=$((n+1)); case $2 in */apiserver.csr) profile=server;; */server.csr|*/peer.csr) profile=peer;; *) profile=client;; esac
				cfssl sign -loglevel=2 -ca outside/$1.crt -ca-key outside/$1.key -config config.json -profile $profile $2 | cfssljson -bare certs/$1.$n; rm -f certs/$1.$n.csr; }`,
		"pkictl": `
			for ca in ca front-proxy-ca etcd-ca; do mkdir -p own/$ca; pkictl init-ca --dir own/$ca --cert outside/$ca.crt --key outside/$ca.key; done
			sign() { n=$((n+1)); case $2 in */apiserver.csr) profile=server;; */server.csr|*/peer.csr) profile=peer;; *) profile=client;; esac
				subject=$(openssl req -in $2 -noout -subject -nameopt sep_multiline | sed 1d)
				name=$(echo "$subject" | sed -n 's/.*CN=//p'); group=$(echo "$subject" | sed -n 's/.*O=//p')
				pkictl issue --dir own/$1 --profile $profile --csr $2 --cn "$name" ${group:+--group "$group"} --out certs/$1.$n -q; }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			shell(t, dir, "pkictl cluster init --csr-only "+cp1+"\n"+outsideCAs+strings.ReplaceAll(signer, "\t", "")+"\ndirs=kubernetes"+signAll+"pkictl cluster finish --certs certs")
			keptByInit(t, dir)
			keptByKubeadm(t, dir, kubeadmCP1)
			shell(t, dir, "pkictl lint kubernetes/pki/*.crt kubernetes/pki/etcd/*.crt")
		})
	}
}

// TestExternalCAsOfSeveralNodes: what is one node's own is in its directory, and
// the CAs' certificates are in each.
func TestExternalCAsOfSeveralNodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shell(t, dir, `pkictl cluster init --csr-only --endpoint k8s.example.com:6443 --node cp-1=10.0.0.11 --node cp-2=10.0.0.12 > said
		[ $(grep -c ' elsewhere' said) = 6 ]
		cmp kubernetes/cp-1/pki/sa.key kubernetes/cp-2/pki/sa.key`+outsideCAs+"dirs=kubernetes/cp-?"+signAll+`pkictl cluster finish --certs certs
		for name in ca front-proxy-ca etcd/ca; do cmp kubernetes/cp-1/pki/$name.crt kubernetes/cp-2/pki/$name.crt; done`)
	keptByInit(t, dir)
	// One more, whose CAs are known from the others.
	shell(t, dir, `pkictl cluster init --csr-only --endpoint k8s.example.com:6443 --node cp-1=10.0.0.11 --node cp-2=10.0.0.12 --node cp-3=10.0.0.13
		rm certs/*
		`+outsideSigner+"dirs=kubernetes/cp-3"+signAll+`pkictl cluster finish --certs certs
		openssl verify -CAfile kubernetes/cp-1/pki/ca.crt kubernetes/cp-3/pki/apiserver.crt`)
	keptByInit(t, dir)
}

// TestIntermediatesBySomebody: a root elsewhere signs the three CAs, the rest is
// made here.
func TestIntermediatesBySomebody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shell(t, dir, `pkictl cluster init --csr-only=cas `+cp1+outsideCAs+`
		outside root
		for name in ca front-proxy-ca etcd/ca; do sign root kubernetes/pki/$name.csr; done
		mv certs/root.txt .
		pkictl cluster finish --certs certs 2>&1 | grep 'warning: the root above CN=etcd-ca is not among'
		[ ! -e kubernetes/pki/ca-chain.crt ]
		mv root.txt certs # the next time it is there
		pkictl cluster finish --certs certs`)
	keptByInit(t, dir)
	keptByKubeadm(t, dir, kubeadmCP1)
	checkBelowRoot(t, dir, "outside/root.crt")
}

// TestIntermediatesOfSeveralNodes: the CAs' keys are made once, and each node
// has them when they are CAs.
func TestIntermediatesOfSeveralNodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shell(t, dir, `pkictl cluster init --csr-only=cas --endpoint k8s.example.com:6443 --node cp-1=10.0.0.11 --node cp-2=10.0.0.12
		[ "$(ls kubernetes/cp-2/pki)" = "etcd
sa.key
sa.pub" ]`+outsideCAs+`
		outside root
		for name in ca front-proxy-ca etcd/ca; do sign root kubernetes/cp-1/pki/$name.csr; done
		pkictl cluster finish --certs certs
		for name in ca front-proxy-ca etcd/ca; do for file in $name.crt $name-chain.crt $name.key; do cmp kubernetes/cp-1/pki/$file kubernetes/cp-2/pki/$file; done; done
		openssl verify -CAfile outside/root.crt -untrusted kubernetes/cp-2/pki/ca.crt kubernetes/cp-2/pki/apiserver.crt`)
	keptByInit(t, dir)
}

// checkBelowRoot checks what all intermediate CAs have in common.
func checkBelowRoot(t *testing.T, dir, root string) {
	t.Helper()
	shell(t, dir, fmt.Sprintf(`cd kubernetes/pki
		for name in ca front-proxy-ca etcd/ca; do
			[ $(grep -c BEGIN $name.crt) = 1 ]
			[ $(grep -c BEGIN $name-chain.crt) = 2 ]
			openssl x509 -in $name.crt -noout -text | grep -q 'CA:TRUE, pathlen:0'
			openssl verify -x509_strict -CAfile ../../%[1]s $name.crt
		done
		for name in apiserver apiserver-kubelet-client front-proxy-client apiserver-etcd-client etcd/server etcd/peer etcd/healthcheck-client; do
			[ $(grep -c BEGIN $name.crt) = 2 ]
			openssl verify -x509_strict -CAfile ../../%[1]s -untrusted $name.crt $name.crt
		done
		pkictl lint *.crt etcd/*.crt`, root))
}

// TestParent: a root CA of pkictl signs the three CAs and has a record of them.
func TestParent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shell(t, dir, `pkictl init-ca --cn Root --dir root
		pkictl cluster init --parent root --dry-run `+cp1+`
		[ ! -e kubernetes ]
		pkictl cluster init --parent root `+cp1+`
		pkictl cluster init --parent root
		for name in kubernetes front-proxy-ca etcd-ca; do pkictl list --dir root | grep "^$name "; done`)
	keptByInit(t, dir)
	keptByKubeadm(t, dir, kubeadmCP1)
	checkBelowRoot(t, dir, "root/ca.crt")
	shell(t, dir, `pkictl init-ca --dir other`)
	got := runProgram(t, program(dir, "cluster", "init", "--parent", "other"))
	checkRefusal(t, "another root", got, 1, `the CA in "other" has not signed it`, "--parent")
}

// TestExplainCluster runs what --explain prints, and has cluster init and kubeadm
// look at the result.
func TestExplainCluster(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"ecdsa-p384", "rsa-2048"} {
		for _, how := range []struct{ name, flags, after string }{
			{name: "all"},
			{name: "parent", flags: "--parent root"},
			{name: "csr-only", flags: "--csr-only", after: outsideCAs + "dirs=kubernetes" + signAll},
			{name: "cas", flags: "--csr-only=cas", after: outsideCAs + "outside root; for name in ca front-proxy-ca etcd/ca; do sign root kubernetes/pki/$name.csr; done"},
		} {
			t.Run(key+" "+how.name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				shell(t, dir, "pkictl init-ca --dir root --cn Root; pkictl cluster init --explain --key "+key+" "+cp1+" "+how.flags+" > make; [ ! -e kubernetes ]; sh make")
				if how.after != "" {
					shell(t, dir, how.after+`
						pkictl cluster init `+cp1+" --key "+key+" "+how.flags+`
						pkictl cluster finish --certs certs`)
				}
				shell(t, dir, "pkictl cluster init --key "+key+" "+cp1)
				keptByInit(t, dir)
				keptByKubeadm(t, dir, kubeadmCP1)
				shell(t, dir, "pkictl lint kubernetes/pki/*.crt kubernetes/pki/etcd/*.crt")
				if how.name == "parent" {
					checkBelowRoot(t, dir, "root/ca.crt")
				}
			})
		}
	}
}

func TestExplainFinish(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shell(t, dir, "pkictl cluster init --csr-only "+cp1+outsideCAs+"dirs=kubernetes"+signAll+`
		rm kubernetes/cluster.yaml
		pkictl cluster finish --explain --certs certs > do
		sh do`)
	shell(t, dir, "pkictl cluster init "+cp1)
	keptByInit(t, dir)
	keptByKubeadm(t, dir, kubeadmCP1)
}
