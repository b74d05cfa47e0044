package store

import (
	"context"
	"encoding/json"
	"testing"
	"time"
)

func TestSummarize(t *testing.T) {
	t.Parallel()
	inv, _ := newInventory(t)
	now := noon.Add(time.Hour)
	day := 24 * time.Hour
	summary := func() Summary {
		t.Helper()
		s, err := inv.Summarize(context.Background(), now, 30*day, "1")
		check(t, err)
		return s
	}
	if s := summary(); s != (Summary{}) {
		t.Errorf("empty: %+v", s)
	}
	inv.add(t, record(t, "1", "the CA"), now.Add(day)) // the first to end, but left out
	inv.add(t, recordOut(t, "2", "jane", "jane"), now.Add(2*day))
	inv.add(t, recordOut(t, "3", "jane", "jane"), now.Add(90*day)) // in whose files the one before was
	inv.add(t, recordOut(t, "4", "joe", "joe"), now.Add(3*day))
	inv.add(t, recordOut(t, "5", "kim", "kim"), now.Add(30*day)) // not within
	inv.add(t, recordOut(t, "6", "old", "old"), now.Add(-day))
	inv.add(t, recordOut(t, "7", "gone", "gone"), now.Add(day))
	inv.add(t, recordOut(t, "8", "gone-old", "gone-old"), now.Add(-day))
	for _, serial := range []string{"7", "8"} {
		check(t, inv.Revoke(serial, "aki", 1, now))
	}
	check(t, inv.Reserve(noon, record(t, "9", "killed")))
	credential := record(t, "10", "plugin")
	var err error
	credential.MetadataJSON, err = json.Marshal(map[string]any{"name": "plugin", "credential": true})
	check(t, err)
	inv.add(t, credential, now.Add(time.Hour))
	s := summary()
	if s.Next == nil || s.Next.Serial != "4" {
		t.Errorf("next: %+v", s.Next)
	}
	s.Next = nil
	if want := (Summary{All: 9, Valid: 5, Expiring: 1, Expired: 1, Revoked: 2, Incomplete: 1}); s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
	if sum := s.Valid + s.Expired + s.Revoked + s.Incomplete; sum != s.All {
		t.Errorf("%d of %d", sum, s.All)
	}
}
