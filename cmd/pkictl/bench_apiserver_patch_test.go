//go:build unix

package main_test

import (
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkAPIServerPatch changes a manifest and, by turns, has nothing to
// change; sed does a part of it, and syncs nothing.
func BenchmarkAPIServerPatch(b *testing.B) {
	dir := b.TempDir()
	manifest := filepath.Join(dir, "kube-apiserver.yaml")
	ok(b, os.WriteFile(manifest, []byte(patchManifest), 0o600))
	patch := released(b) + " apiserver patch --yes -q --manifest "
	race(b, dir,
		contender{"changed", patch + manifest + " --audit-preset cis --config-dir " + dir + "/conf --audit-log-path " + dir + "/log/audit.log --set event-ttl=$((i + 10))m"},
		contender{"unchanged", patch + manifest + " --set event-ttl=$((i + 10))m"},
		contender{"sed", "sed 's/--event-ttl=.*/--event-ttl=2h/' " + manifest},
	)
}
