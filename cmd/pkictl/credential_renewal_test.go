package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// TestConnectedOverRenewals: with certificates of 3 seconds, a client of
// client-go goes on asking and watching, and kubectl goes on watching.
func TestConnectedOverRenewals(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	const user = "credential-connected"
	const life = 3 * time.Second
	c.asAdmin("create namespace " + user)
	c.asAdmin("create rolebinding connected --clusterrole=cluster-admin --user=" + user + " -n " + user)
	config := c.withCredential("--cn", user, "--via", "ca", "--dir", c.pki, "--for", "3s")

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	kubectl := exec.CommandContext(ctx, c.kubectl, "--kubeconfig", config, "-n", user, "get", "configmaps", "--watch", "-o", "name")
	kubectl.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}
	seenByKubectl := &lines{}
	kubectl.Stdout, kubectl.Stderr = seenByKubectl, seenByKubectl
	ok(t, kubectl.Start())

	client := configMaps(t, config)
	seen := make(chan string, 100)
	go watchAll(ctx, client, seen)
	begun := time.Now()
	made := 0
	for ; time.Since(begun) < 3*life || made == 0; made++ {
		name := fmt.Sprintf("step-%d", made)
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
		create(ctx, t, client, user, object)
		for got := ""; got != name; {
			select {
			case got = <-seen:
			case <-ctx.Done():
				t.Fatalf("%s was never seen", name)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	last := fmt.Sprintf("configmap/step-%d\n", made-1)
	for !strings.Contains(seenByKubectl.String(), last) {
		if ctx.Err() != nil {
			t.Fatalf("kubectl has not seen the last of %d:\n%s", made, seenByKubectl)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if text := seenByKubectl.String(); strings.Contains(text, "rror") {
		t.Errorf("kubectl said\n%s", text)
	}
	ok(t, kubectl.Process.Kill())
	_ = kubectl.Wait()
	if n := c.issuedTo(user); n < 4 || n > 25 {
		t.Errorf("in %s there were %d certificates", time.Since(begun), n)
	}
}

// create makes an object as a controller does: client-go closes connections when
// the certificate changes, and what was under way on one is tried again.
func create(ctx context.Context, t *testing.T, client *rest.RESTClient, namespace string, object *corev1.ConfigMap) {
	t.Helper()
	for {
		err := client.Post().Resource("configmaps").Namespace(namespace).Body(object).Do(ctx).Error()
		var status apierrors.APIStatus
		switch {
		case err == nil, apierrors.IsAlreadyExists(err):
			return
		case errors.As(err, &status), ctx.Err() != nil:
			t.Fatal(err)
		}
	}
}

// lines collects the output of a program that still runs.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(data)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// configMaps is a client of client-go, as a controller has it.
func configMaps(t *testing.T, kubeconfig string) *rest.RESTClient {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	ok(t, err)
	scheme := runtime.NewScheme()
	ok(t, corev1.AddToScheme(scheme))
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.QPS = -1
	// client-go starts the command with the environment of this process.
	config.ExecProvider.Args = append(config.ExecProvider.Args, "--cache", filepath.Join(t.TempDir(), "cache"))
	client, err := rest.RESTClientFor(config)
	ok(t, err)
	return client
}

// watchAll sends the names of what is made until ctx ends. Whenever the
// connection ends it goes on where it was, as a controller does.
func watchAll(ctx context.Context, client *rest.RESTClient, seen chan<- string) {
	version := "0"
	for ctx.Err() == nil {
		request := client.Get().Resource("configmaps").Namespace("credential-connected").Param("watch", "true").Param("resourceVersion", version)
		events, err := request.Watch(ctx)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		for event := range events.ResultChan() {
			object, is := event.Object.(*corev1.ConfigMap)
			if !is {
				break
			}
			version = object.ResourceVersion
			if event.Type == watch.Added {
				seen <- object.Name
			}
		}
		events.Stop()
	}
}
