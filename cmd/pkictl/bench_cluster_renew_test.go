//go:build unix

package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkClusterRenew renews all that kubeadm renews in a directory that it
// made, with RSA-2048 and with P-256. pkictl lints and records what it signs, and
// syncs all of it to the disk as one step; kubeadm writes file after file. kubeadm
// finds kubeconfigs below /etc/kubernetes alone, and is given a root of its own.
func BenchmarkClusterRenew(b *testing.B) {
	for _, algorithm := range in("RSA-2048", "ECDSA-P256") {
		b.Run(algorithm, func(b *testing.B) { raceForRenewal(b, algorithm) })
	}
}

func raceForRenewal(b *testing.B, algorithm string) {
	b.Helper()
	dir := b.TempDir()
	config := []byte(`apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.0.0.11}
nodeRegistration: {name: cp-1}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
encryptionAlgorithm: ` + algorithm + "\n")
	kubeadm := func(root, phase string) string {
		return tool(b, "kubeadm") + " " + phase + " --config /kubeadm.yaml --rootfs " + filepath.Join(dir, root)
	}
	for _, root := range in("ours", "theirs") {
		ok(b, os.MkdirAll(filepath.Join(dir, root, "etc", "kubernetes"), 0o700))
		ok(b, os.WriteFile(filepath.Join(dir, root, "kubeadm.yaml"), config, 0o600))
		for _, phase := range in("init phase certs all", "init phase kubeconfig all") {
			if out, err := exec.Command("sh", "-c", kubeadm(root, phase)).CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
		}
	}
	raceFor(b, 20, dir,
		contender{"pkictl", released(b) + " cluster renew -q --dir ../ours/etc/kubernetes"},
		contender{"kubeadm", kubeadm("theirs", "certs renew all")},
	)
}
