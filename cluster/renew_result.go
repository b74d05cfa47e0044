package cluster

import (
	"slices"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// result describes all entries.
func (p *renewPlan) result() *RenewResult {
	result := &RenewResult{}
	for _, d := range p.dirs {
		node := NodeRenewal{Node: d.name, Dir: d.dir}
		for _, item := range d.items {
			node.Entries = append(node.Entries, item.result(p.DryRun))
			if item.state != RenewalDone {
				continue
			}
			for _, text := range append(item.warnings, item.different(p)...) {
				result.warn(item.path(), text)
			}
		}
		node.Restarts = RestartOrder(node.Renewed())
		result.Nodes = append(result.Nodes, node)
	}
	return result
}

// warn keeps one warning for all entries of which there is the same to say.
func (r *RenewResult) warn(file, text string) {
	for i := range r.Warnings {
		if r.Warnings[i].Text == text {
			r.Warnings[i].Files = append(r.Warnings[i].Files, file)
			return
		}
	}
	r.Warnings = append(r.Warnings, RenewWarning{Files: []string{file}, Text: text})
}

func (item *renewItem) result(dryRun bool) Renewal {
	f := item.found
	r := Renewal{Name: f.Entry.Name, Files: f.Entry.Paths(f.Dir), State: item.state, Why: item.why}
	if f.Certificate != nil {
		end := f.Certificate.NotAfter.UTC()
		r.OldSerial, r.OldNotAfter = ca.FormatSerial(f.Certificate.SerialNumber), &end
	}
	switch item.state {
	case RenewalDone:
		end := item.renewed.NotAfter.UTC()
		r.NotAfter = &end
		if !dryRun {
			r.Serial = ca.FormatSerial(item.renewed.SerialNumber)
		}
	case RenewalFailed:
		r.Err, r.Why, r.Hint = item.err, item.err.Error(), failure.HintOf(item.err)
	}
	return r
}

// different says what about an entry is not as the layout has it, and stays so.
func (item *renewItem) different(p *renewPlan) []string {
	f := item.found
	var texts []string
	if f.Key == nil || !ca.EqualKeys(f.Key, f.Certificate.PublicKey) {
		texts = append(texts, "the old certificate had no key that belongs to it; the new one has")
	}
	if item.dir.node == nil {
		return texts
	}
	for _, d := range f.Differences(*item.dir.node, nil, p.Now) {
		if slices.Contains([]Field{FieldCN, FieldO, FieldEKU, FieldSAN, FieldServer}, d.Field) {
			texts = append(texts, "renewed as it was, but "+string(d.Field)+" is not as it should be: wanted "+d.Wanted+"; found "+d.Found+
				"; see: pkictl cluster init --repair")
		}
	}
	return texts
}
