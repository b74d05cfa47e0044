package cluster

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

// TestNoPKI: where there are the directories of several nodes, the hint names
// the first, whatever their place is called.
func TestNoPKI(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "prod [eu]*")
	o := initOptions(dir)
	o.Settings.Endpoint, o.Settings.Nodes = "k8s.example.com", []NodeSettings{{"cp-2", "10.0.0.12"}, {"cp-1", "10.0.0.11"}}
	testInit(t, o)
	_, err := checkRunnable(dir, false, initNow)
	if err == nil || !strings.Contains(err.Error(), "of 2 nodes") || !strings.Contains(failure.HintOf(err), filepath.Join(dir, "cp-2")) {
		t.Errorf("%v; hint %q", err, failure.HintOf(err))
	}
	_, err = checkRunnable(filepath.Join(dir, "none"), false, initNow)
	if err == nil || !strings.Contains(err.Error(), "there is no PKI in") {
		t.Errorf("%v", err)
	}
}
