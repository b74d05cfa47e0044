package cluster

// CheckSummary is a CheckReport at a glance.
type CheckSummary struct {
	Nodes        int
	Certificates int // those in kubeconfigs included
	Findings     int // of LevelFail
	// First is the first certificate to end, on the node FirstNode; nil where
	// there is none.
	First     *CheckedEntry
	FirstNode string
}

// Summary counts what a check has looked at and found.
func (r *CheckReport) Summary() CheckSummary {
	s := CheckSummary{Nodes: len(r.Nodes)}
	for _, n := range r.Nodes {
		for i := range n.Entries {
			e := &n.Entries[i]
			if e.NotAfter == nil {
				continue
			}
			s.Certificates++
			if s.First == nil || e.NotAfter.Before(*s.First.NotAfter) {
				s.First, s.FirstNode = e, n.Node
			}
		}
	}
	for _, f := range r.Findings {
		if f.Level == LevelFail {
			s.Findings++
		}
	}
	return s
}
