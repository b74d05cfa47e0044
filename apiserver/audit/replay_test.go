package audit

import (
	"context"
	"os"
	"testing"
)

func BenchmarkReplay(b *testing.B) {
	p, err := Parse("p", []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None, users: [a]},{level: Metadata, resources: [{resources: [secrets]}]}, {level: RequestResponse, verbs: [create]}, {level: Metadata}]"))
	if err != nil {
		b.Fatal(err)
	}
	path := os.Getenv("LOG")
	info, _ := os.Stat(path)
	b.SetBytes(info.Size())
	for b.Loop() {
		r, err := Replay(context.Background(), ReplayOptions{Policy: p, Logs: []string{path}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(r.Log.Events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	}
}
