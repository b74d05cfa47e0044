//go:build unix

package main_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// benchCluster starts a control plane whose signer has no limit of its own, and
// returns the directory that it is in, with admin.conf.
func benchCluster(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	tools, err := filepath.Abs("../../tools/bin")
	if err != nil {
		b.Fatal(err)
	}
	assets, err := cluster.FindAssets(tools, func(string) string { return "" })
	if err != nil {
		b.Fatal(err)
	}
	ports, err := cluster.FreePorts(1)
	if err != nil {
		b.Fatal(err)
	}
	run := func(line string) {
		b.Helper()
		cmd := exec.Command(released(b), strings.Fields(line)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	url := fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	run("init-ca")
	run("issue --cn kube-apiserver --profile server --ip 127.0.0.1 --ip 10.96.0.1 --dns kubernetes.default.svc --out pki/apiserver")
	run("issue --cn system:kube-controller-manager --out pki/controller-manager --kubeconfig controller-manager.conf --server " + url)
	run("issue --cn kube-admin --group system:masters --kubeconfig admin.conf --server " + url)
	run("init-ca --dir pki/etcd --cn etcd-ca")
	run("issue --dir pki/etcd --cn localhost --profile peer --ip 127.0.0.1 --out pki/etcd/server")
	run("issue --dir pki/etcd --cn kube-apiserver-etcd-client --out pki/apiserver-etcd-client")
	benchServiceAccountKeys(b, dir)
	cp, err := cluster.Start(b.Context(), cluster.Config{
		PKI: filepath.Join(dir, "pki"), Dir: filepath.Join(dir, "run"),
		ControllerManagerKubeconfig: filepath.Join(dir, "controller-manager.conf"),
		Assets:                      assets, Ports: cluster.Ports{APIServer: ports[0]}, UnsafeNoFsync: true,
		ExtraArgs: map[string][]string{"kube-controller-manager": {"--kube-api-qps=1000", "--kube-api-burst=1000"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			b.Error(err)
		}
	})
	return dir
}

func benchServiceAccountKeys(b *testing.B, dir string) {
	b.Helper()
	key, err := ca.GenerateKey(ca.RSA2048)
	if err != nil {
		b.Fatal(err)
	}
	private, err := ca.MarshalKey(key)
	if err != nil {
		b.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		b.Fatal(err)
	}
	for name, data := range map[string][]byte{"sa.key": private, "sa.pub": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})} {
		if err := os.WriteFile(filepath.Join(dir, "pki", name), data, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

// addTimed runs user add, and returns what it printed as JSON and how long the
// whole process took.
func addTimed(b *testing.B, dir, line string, into any) time.Duration {
	b.Helper()
	cmd := exec.Command(released(b), strings.Fields("user add "+line+" -o json --kubeconfig admin.conf")...)
	cmd.Dir = dir
	begun := time.Now()
	out, err := cmd.Output()
	spent := time.Since(begun)
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return spent
}

// BenchmarkUserAdd adds one user by the certificates API, with a binding and
// the question what they may do. Own is what is left of the whole process'
// time without that in which the API server is waited for.
func BenchmarkUserAdd(b *testing.B) {
	dir := benchCluster(b)
	var whole, own []time.Duration
	for i := range 42 {
		var r struct{ WaitedSeconds float64 }
		spent := addTimed(b, dir, fmt.Sprintf("one-%d --group developers --namespace default --role view --for 1h", i), &r)
		if i >= 2 { // the first fill caches
			whole, own = append(whole, spent), append(own, spent-time.Duration(r.WaitedSeconds*float64(time.Second)))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(milliseconds(median(whole)), "ms")
	b.ReportMetric(milliseconds(median(own)), "own-ms")
}

const benchUsers = 500

// BenchmarkUserBatch adds 500 users from a file, in turn with a bare loop that
// sends the same requests with as many workers, and writes nothing.
func BenchmarkUserBatch(b *testing.B) {
	dir := benchCluster(b)
	client, err := kubeclient.Connect(kubeclient.Options{File: filepath.Join(dir, "admin.conf")})
	if err != nil {
		b.Fatal(err)
	}
	var ours, bare []float64
	for round := range batchRounds {
		text := "name,group\n"
		for i := range benchUsers {
			text += fmt.Sprintf("u-%d-%d,developers\n", round, i)
		}
		out := filepath.Join(dir, fmt.Sprint("confs-", round))
		if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		if err := os.Mkdir(out, 0o700); err != nil {
			b.Fatal(err)
		}
		var r struct {
			Added   int
			Seconds float64
		}
		addTimed(b, dir, "-f users.csv --namespace default --role view --for 1h --out "+out, &r)
		if r.Added != benchUsers {
			b.Fatalf("added %d", r.Added)
		}
		ours = append(ours, benchUsers/r.Seconds)
		bare = append(bare, benchUsers/bareUsers(b, client, round).Seconds())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(ours), "pkictl/s")
	b.ReportMetric(middle(bare), "bare/s")
	b.ReportMetric(100*middle(ours)/middle(bare), "%-of-bare")
}

// bareUsers is the loop that somebody would write.
func bareUsers(b *testing.B, client *kubeclient.Client, round int) time.Duration {
	b.Helper()
	begun := time.Now()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	issued := make([]chan struct{}, benchUsers)
	for i := range issued {
		issued[i] = make(chan struct{})
	}
	label := fmt.Sprint("bare-", round)
	events, err := client.Watch(ctx, kubeclient.CertificateSigningRequests, metav1.ListOptions{LabelSelector: "bench=" + label})
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		seen := map[int]bool{}
		for event := range events.ResultChan() {
			object, is := event.Object.(*certificatesv1.CertificateSigningRequest)
			i := 0
			if !is || len(object.Status.Certificate) == 0 {
				continue
			}
			if _, err := fmt.Sscanf(object.Name, label+"-%d", &i); err == nil && !seen[i] {
				seen[i] = true
				close(issued[i])
			}
		}
	}()
	next := make(chan int)
	var workers sync.WaitGroup
	for range csr.Workers {
		workers.Go(func() {
			for i := range next {
				if err := bareUser(ctx, client, label, i, issued[i]); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range benchUsers {
		next <- i
	}
	close(next)
	workers.Wait()
	return time.Since(begun)
}

func bareUser(ctx context.Context, client *kubeclient.Client, label string, i int, issued chan struct{}) error {
	name := fmt.Sprint(label, "-", i)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	request := &x509.CertificateRequest{}
	request.Subject.CommonName, request.Subject.Organization = name, []string{"developers"}
	der, err := x509.CreateCertificateRequest(rand.Reader, request, key)
	if err != nil {
		return err
	}
	seconds := int32(3600)
	object := &certificatesv1.CertificateSigningRequest{}
	object.Name, object.Labels = name, map[string]string{"bench": label}
	object.Spec = certificatesv1.CertificateSigningRequestSpec{
		Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), SignerName: csr.SignerClient,
		ExpirationSeconds: &seconds, Usages: []certificatesv1.KeyUsage{"digital signature", "client auth"},
	}
	if err := client.Create(ctx, kubeclient.CertificateSigningRequests, object, object); err != nil {
		return err
	}
	object.Status.Conditions = append(object.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Bench",
	})
	if err := client.Update(ctx, kubeclient.CertificateSigningRequests+"/"+name+"/approval", object, object); err != nil {
		return err
	}
	<-issued
	binding := &rbacv1.RoleBinding{
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	}
	binding.Name = name
	return client.Create(ctx, kubeclient.NamespacedRBAC("default", "rolebindings"), binding, binding)
}
