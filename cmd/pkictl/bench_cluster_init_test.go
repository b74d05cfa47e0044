//go:build unix

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// clusterRounds are fewer than elsewhere: kubeadm takes a second for each, and
// keys of RSA differ so much in the time that they take that its median needs some.
const clusterRounds = 25

// BenchmarkClusterInit makes the PKI and the kubeconfigs of a control plane,
// and has kubeadm do so in the same run: certs all and kubeconfig all, with keys
// of RSA-2048 as is its default. pkictl lints each certificate, records it, and
// syncs all to the disk; kubeadm does not.
func BenchmarkClusterInit(b *testing.B) {
	dir := b.TempDir()
	node := " --node cp-1 --advertise-address 10.0.0.11"
	nodes := " --endpoint 10.0.0.10 --node cp-1=10.0.0.11 --node cp-2=10.0.0.12 --node cp-3=10.0.0.13"
	ours := func(name, flags string) contender {
		return contender{name, released(b) + " cluster init -q --dir $i" + flags}
	}
	kubeadm := func(name, config string) contender {
		path := filepath.Join(dir, name+".yaml")
		ok(b, os.WriteFile(path, []byte(kubeadmWorld{node: kubeadmNode4, cluster: config}.config()), 0o600))
		k := tool(b, "kubeadm")
		// Its configuration names the directory.
		return contender{name, fmt.Sprintf("sed \"s,PLACE,$PWD/$i,\" %[2]s > $i.yaml && %[1]s init phase certs all --config $i.yaml && %[1]s init phase kubeconfig all --config $i.yaml --kubeconfig-dir $PWD/$i", k, path)}
	}
	raceFor(b, clusterRounds, dir,
		kubeadm("kubeadm-rsa", "kubernetesVersion: v1.36.3\ncertificatesDir: PLACE/pki\nencryptionAlgorithm: RSA-2048\n"),
		ours("rsa", " --key rsa-2048"+node),
		ours("p256", " --key ecdsa-p256"+node),
		ours("p256-three", " --key ecdsa-p256"+nodes),
		kubeadm("kubeadm-p256", "kubernetesVersion: v1.36.3\ncertificatesDir: PLACE/pki\nencryptionAlgorithm: ECDSA-P256\n"),
	)
}

// BenchmarkClusterInitNodes makes them for one node and for three, whose keys
// take their time.
func BenchmarkClusterInitNodes(b *testing.B) {
	init := released(b) + " cluster init -q --key rsa-2048 --dir $i --endpoint 10.0.0.10 --node cp-1=10.0.0.11"
	raceFor(b, clusterRounds, b.TempDir(), contender{"one", init}, contender{"three", init + " --node cp-2=10.0.0.12 --node cp-3=10.0.0.13"})
}
