package cluster

import (
	"slices"
	"testing"
	"time"
)

func TestCheckSummary(t *testing.T) {
	t.Parallel()
	day := func(n int) *time.Time { return new(time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC)) }
	report := &CheckReport{
		Nodes: []*CheckedNode{
			{Node: "cp-1", Entries: []CheckedEntry{{Name: "ca", NotAfter: day(9)}, {Name: "sa"}, {Name: "apiserver", NotAfter: day(3)}}},
			{Node: "cp-2", Entries: []CheckedEntry{{Name: "etcd-server", NotAfter: day(2)}, {Name: "ca", Missing: true}}},
		},
		Findings: []Finding{{Level: LevelFail}, {Level: LevelNote}, {Level: LevelFail}},
	}
	s := report.Summary()
	if s.Nodes != 2 || s.Certificates != 3 || s.Findings != 2 || s.First == nil || s.First.Name != "etcd-server" || s.FirstNode != "cp-2" {
		t.Errorf("%+v", s)
	}
	if s := (&CheckReport{}).Summary(); s != (CheckSummary{}) {
		t.Errorf("of nothing: %+v", s)
	}
	found := check(t, copyOfKubeadms(t)).Summary()
	if found.Certificates < 10 || found.First == nil || slices.Contains([]string{"ca", "etcd-ca", "front-proxy-ca"}, found.First.Name) {
		t.Errorf("of kubeadm's: %+v", found)
	}
}
