package apiserver_test

import (
	"os"
	"testing"

	"k8s.io/klog/v2"
)

// TestMain silences what kube-apiserver's code logs of policies, as the program
// does.
func TestMain(m *testing.M) {
	klog.SetLogger(klog.New(nil))
	os.Exit(m.Run())
}
