package main_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// client calls an API server with a kubeconfig.
func client(t *testing.T, kubeconfig string) *kubeclient.Client {
	t.Helper()
	c, err := kubeclient.Connect(kubeclient.Options{File: kubeconfig, Agent: "pkictl/test"})
	ok(t, err)
	return c
}

// requestOf makes a certificate request.
func requestOf(t *testing.T, commonName string, groups ...string) []byte {
	t.Helper()
	_, request, err := csr.NewRequest(csr.RequestOptions{CommonName: commonName, Groups: groups})
	ok(t, err)
	return request
}

// TestCSRLifeCycle: a request is sent once, approved once, and its certificate
// comes by a watch; one that is denied says so.
func TestCSRLifeCycle(t *testing.T) {
	t.Parallel()
	c := client(t, sharedCluster(t).admin)
	ctx := t.Context()
	o := csr.SubmitOptions{RequestPEM: requestOf(t, "csr-life-cycle", "developers"), Expiration: time.Hour}
	object, created, err := csr.Submit(ctx, c, o)
	ok(t, err)
	again, createdAgain, err := csr.Submit(ctx, c, o)
	ok(t, err)
	if !created || createdAgain || again.UID != object.UID || object.Labels[csr.LabelManagedBy] != csr.ManagedBy {
		t.Errorf("created %v, then %v: %v and %v", created, createdAgain, object.UID, again.UID)
	}
	approved, err := csr.Approve(ctx, c, object, "test")
	ok(t, err)
	if _, err := csr.Approve(ctx, c, object, "again"); err != nil {
		t.Error(err)
	}
	if _, err := csr.Deny(ctx, c, object, "too late"); err == nil || !strings.Contains(err.Error(), "was approved already") {
		t.Errorf("denied what was approved: %v", err)
	}
	issued, err := csr.Wait(ctx, c, object.Name, object.UID, csr.WaitOptions{Known: approved})
	ok(t, err)
	if csr.StateOf(issued) != csr.StateIssued {
		t.Errorf("it is %s", csr.StateOf(issued))
	}

	object, _, err = csr.Submit(ctx, c, csr.SubmitOptions{RequestPEM: requestOf(t, "csr-life-cycle-2")})
	ok(t, err)
	_, err = csr.Wait(ctx, c, object.Name, object.UID, csr.WaitOptions{Timeout: time.Second})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("timeout: %v", err)
	}
	_, err = csr.Deny(ctx, c, object, "unknown")
	ok(t, err)
	var ended *csr.EndedError
	if _, err := csr.Wait(ctx, c, object.Name, object.UID, csr.WaitOptions{}); !errors.As(err, &ended) || ended.State != csr.StateDenied {
		t.Errorf("waited for what was denied: %v", err)
	}
	if _, err := csr.Approve(ctx, c, object, ""); !errors.As(err, &ended) || ended.Message != "unknown" {
		t.Errorf("approved what was denied: %v", err)
	}
}
