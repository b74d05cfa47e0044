package tui

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
)

// apiManifest is kubeadm's.
func apiManifest(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../apiserver/testdata/manifest/kubeadm.txt")
	ok(t, err)
	before, _, _ := bytes.Cut(data, []byte("---->\n"))
	return before
}

// newAPINode returns a flow for a manifest in a directory of its own, in which
// there is a policy, too.
func newAPINode(t *testing.T) (root string, f *flowAPIServer) {
	t.Helper()
	root = t.TempDir()
	f = newFlowAPIServer(apiTestWorld())
	f.manifest, f.configDir, f.logPath = root+"/manifests/kube-apiserver.yaml", root+"/conf", root+"/log/audit.log"
	ok(t, os.Mkdir(root+"/manifests", 0o700))
	ok(t, os.WriteFile(f.manifest, apiManifest(t), 0o640))
	policy, err := audit.Generate(audit.Options{Preset: "exam"})
	ok(t, err)
	ok(t, os.WriteFile(root+"/policy.yaml", policy, 0o600))
	f.policyFrom, f.policyFile = root+"/policy.yaml", root+"/policy.yaml"
	return root, f
}

// allTopics are those that go together.
func allTopics() []string {
	return []string{topicAudit, topicEncryption, topicPodSecurity, topicAdmission, topicAnonymous, topicTLS, topicCIS, topicOther}
}

func apiAnswerSets() map[string]func(root string, f *flowAPIServer) {
	return map[string]func(root string, f *flowAPIServer){
		"audit":           func(_ string, f *flowAPIServer) { f.topics = []string{topicAudit}; f.maxAge = "60" },
		"policy here":     func(_ string, f *flowAPIServer) { f.topics, f.auditFrom = []string{topicAudit}, auditFromFile },
		"policy there":    func(_ string, f *flowAPIServer) { f.topics, f.auditFrom = []string{topicAudit}, auditFromHost },
		"standard output": func(_ string, f *flowAPIServer) { f.topics, f.toStdout, f.maxAge = []string{topicAudit}, true, "7" },
		"encryption": func(_ string, f *flowAPIServer) {
			f.topics, f.encrypt, f.reload = []string{topicEncryption}, []string{"secrets", "configmaps"}, true
		},
		"kms": func(_ string, f *flowAPIServer) {
			f.topics, f.provider, f.kmsEndpoint, f.kmsName = []string{topicEncryption}, "kms", "unix:///@kms", "vault"
		},
		"pods": func(_ string, f *flowAPIServer) {
			f.topics, f.podSecurity, f.podSecurityExempt = []string{topicPodSecurity}, "restricted", []string{"kube-system", "cni"}
		},
		"all": func(_ string, f *flowAPIServer) {
			f.topics, f.enable, f.disable = allTopics(), []string{"AlwaysPullImages"}, []string{"DefaultStorageClass"}
			f.set, f.unset = [4]string{"event-ttl=2h", "", "feature-gates=AllAlpha=false,AllBeta=false"}, []string{"profiling"}
		},
		"none is served": func(_ string, f *flowAPIServer) { f.topics, f.anonymous = []string{topicAnonymous}, "none" },
		"paths": func(_ string, f *flowAPIServer) {
			f.topics, f.anonymous, f.anonymousAt = []string{topicAnonymous}, anonymousPaths, []string{"probes", "/version"}
		},
		"not there": func(root string, f *flowAPIServer) {
			f.topics, f.kubeletCA = []string{topicCIS}, root+"/none.crt"
		},
		"no such flag": func(_ string, f *flowAPIServer) { f.topics, f.set = []string{topicOther}, [4]string{"evnt-ttl=2h"} },
		"backups":      func(root string, f *flowAPIServer) { f.topics, f.backups = []string{topicTLS}, root+"/b" },
		"into the manifests": func(root string, f *flowAPIServer) {
			f.topics, f.backups = []string{topicTLS}, root+"/manifests"
		},
	}
}

// TestAPIServerParity: the same answers and the same flags make the same manifest,
// files and modes, or refuse; and the same again when it is taken back.
func TestAPIServerParity(t *testing.T) {
	t.Parallel()
	for name, answer := range apiAnswerSets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rootA, a := newAPINode(t)
			rootB, b := newAPINode(t)
			answer(rootA, a)
			answer(rootB, b)
			checkSteps(t, a)
			recipe, recipeErr := b.explain(t.Context())
			explained := runCLI(t, rootB, append(b.command(), "--explain")...)
			if recipeErr == nil && explained.stdout != recipe {
				t.Errorf("%s, want %s", recipe, explained.stdout)
			}
			r, o, err := doFlow(t, a)
			cli := runCLI(t, rootB, append(b.command(), "--yes")...)
			compareAPITrees(t, rootA, rootB)
			compareAPIEnd(t, r, o, err, cli, rootA, rootB)
			if err != nil || r.nothing != "" {
				return
			}
			checkPatchReview(t, a, r)
			again, _, err := doFlow(t, a)
			if err != nil || again.nothing == "" {
				t.Errorf("a second time: %+v, %v", again, err)
			}
			a.what, b.what = apiUndo, apiUndo
			r, o, err = doFlow(t, a)
			cli = runCLI(t, rootB, append(b.command(), "--yes")...)
			compareAPITrees(t, rootA, rootB)
			compareAPIEnd(t, r, o, err, cli, rootA, rootB)
		})
	}
}

// compareAPIEnd holds the end of a flow against that of a command.
func compareAPIEnd(t *testing.T, r *review, o *outcome, err error, cli cliResult, rootA, rootB string) {
	t.Helper()
	there := func(s string) string { return strings.ReplaceAll(s, rootA, rootB) }
	switch {
	case err != nil:
		if cli.code != int(failure.KindOf(err)) || !strings.Contains(cli.stderr, there(err.Error())) || cli.stdout != "" {
			t.Errorf("%v, and %d: %s", err, cli.code, cli.stderr)
		}
	case o == nil: // found something
		if cli.code != int(failure.Finding) || r.preview == "" || !strings.Contains(strings.Join(r.warnings, "\n"), "--force") {
			t.Errorf("%+v, and %d: %s", r, cli.code, cli.stderr)
		}
	default:
		var warned []string
		for _, w := range r.warnings {
			warned = append(warned, there(w))
		}
		if cli.code != 0 || !slices.Equal(warned, cli.warnings()) || o.headline == "" {
			t.Errorf("%q, %+v, and %d: %s", warned, o, cli.code, cli.stderr)
		}
	}
}

// checkPatchReview: what was to be written is what is there now, and no key was
// shown.
func checkPatchReview(t *testing.T, f *flowAPIServer, r *review) {
	t.Helper()
	for _, w := range r.writes {
		info, err := os.Stat(w.path)
		ok(t, err)
		if w.mode != 0 && info.Mode().Perm() != os.FileMode(w.mode) {
			t.Errorf("%s has mode %v, want %04o", w.path, info.Mode(), w.mode)
		}
	}
	if config, err := os.ReadFile(f.configDir + "/encryption-config.yaml"); err == nil {
		_, key, isKey := strings.Cut(string(config), "secret: ")
		key, _, _ = strings.Cut(key, "\n")
		if isKey && (strings.Contains(r.preview, key) || strings.Contains(strings.Join(f.command(), " "), key)) {
			t.Error("the key is shown")
		}
	}
}

// TestAPIServerGenerated holds random answers against what the flags come to,
// without writing.
func TestAPIServerGenerated(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 36))
	root, _ := newAPINode(t)
	made := 0
	const runs = 100
	for range runs {
		f := newFlowAPIServer(apiTestWorld())
		f.manifest, f.configDir, f.policyFrom = root+"/manifests/kube-apiserver.yaml", root+"/conf", root+"/policy.yaml"
		answerRandomly(random, f)
		if random.IntN(2) == 0 {
			made += comparePatchDryRun(t, f, root)
		} else {
			made += compareFlags(t, f, root)
		}
	}
	if made < runs/4 || made == runs {
		t.Errorf("%d of %d were made", made, runs)
	}
	if _, err := os.Stat(root + "/conf"); err == nil {
		t.Error("something was written")
	}
}

func answerRandomly(random *rand.Rand, f *flowAPIServer) {
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	some := func(most int, from ...string) (list []string) {
		for range random.IntN(most + 1) {
			list = append(list, pick(from...))
		}
		return list
	}
	for _, topic := range allTopics() {
		if random.IntN(3) == 0 {
			f.topics = append(f.topics, topic)
		}
	}
	if len(f.topics) == 0 {
		f.topics = []string{topicTLS}
	}
	f.auditFrom = pick(apiPreset("cis"), apiPreset("minimal"), auditFromFile)
	f.logPath, f.maxAge, f.maxBackup = pick("", "-", "/var/log/a.log", "relative"), pick("", "7", "400"), pick("", "3")
	f.encrypt, f.provider, f.reload = append(some(2, "configmaps", "*.*", "Secrets", `quo"te`), "secrets"), pick("secretbox", "aescbc", "aesgcm", "kms"), random.IntN(2) == 0
	f.kmsEndpoint, f.kmsName = pick("unix:///run/kms.sock", "unix:///@kms", "tcp://x"), pick("", "vault")
	f.podSecurity, f.podSecurityExempt = pick("baseline", "restricted", "privileged"), some(2, "kube-system", "cni", "Bad_Name")
	f.enable, f.disable = append(some(2, "AlwaysPullImages", "NodeRestriction", "NoSuch"), "EventRateLimit"), some(2, "DefaultStorageClass", "AlwaysPullImages")
	f.anonymous, f.anonymousAt = pick("probes", "probes,join", "all", "none", anonymousPaths), append(some(2, "/version", "version"), "probes")
	f.tlsMin, f.strongCiphers = pick("", "1.2", "1.3"), random.IntN(2) == 0
	if f.tlsMin == "" {
		f.strongCiphers = true
	}
	f.set, f.unset = [4]string{pick("event-ttl=2h", "event-ttl=x", "profiling=false"), pick("", "v=2", "feature-gates=AllAlpha=true,AllBeta=false")}, some(1, "profiling", "nope")
	f.form, f.version = pick("text", "flags", "kubeadm", "kubeadm-patch", "static-pod", "systemd"), pick("", "1.30", "v1.34.2", "9")
}

// comparePatchDryRun returns 1 where there is a change to show.
func comparePatchDryRun(t *testing.T, f *flowAPIServer, root string) int {
	t.Helper()
	r, err := f.reviewPatch()
	args := append(f.command(), "--dry-run", "-o", "json")
	cli := runCLI(t, root, args...)
	if err != nil || r.nothing != "" {
		if cli.code == 0 || err != nil && !strings.Contains(cli.stderr, text(err.Error())) {
			t.Errorf("%q: %v, %+v, and %s", args, err, r, cli.stderr)
		}
		return 0
	}
	var result struct {
		Diff     string
		Files    []string
		Warnings []string
	}
	ok(t, json.Unmarshal([]byte(cli.stdout), &result))
	var files []string
	for _, w := range r.writes {
		if w.path != f.manifest {
			files = append(files, w.path)
		}
	}
	if cli.code != 0 || result.Diff != r.preview || !slices.Equal(result.Files, files) || !slices.Equal(result.Warnings, r.warnings) {
		t.Errorf("%q: %+v, and\n%+v", args, r, result)
	}
	return 1
}

// compareFlags returns 1 where there are flags.
func compareFlags(t *testing.T, f *flowAPIServer, root string) int {
	t.Helper()
	f.what = apiFlags
	r, err := f.reviewFlags()
	args := f.command()
	cli := runCLI(t, root, args...)
	switch {
	case err == nil && (cli.code != 0 || cli.stdout != r.preview):
		t.Errorf("%q: %s\n%s", args, cli.stderr, cli.stdout)
	case err != nil && (cli.code != int(failure.KindOf(err)) || !strings.Contains(cli.stderr, text(err.Error()))):
		t.Errorf("%q: %v, and %s", args, err, cli.stderr)
	case err == nil:
		return 1
	}
	return 0
}

// TestAPIServerFlags: the files of flags are written as apiserver flags --out does.
func TestAPIServerFlags(t *testing.T) {
	t.Parallel()
	rootA, a := newAPINode(t)
	rootB, b := newAPINode(t)
	for _, f := range []*flowAPIServer{a, b} {
		f.what, f.topics, f.form = apiFlags, []string{topicAudit, topicEncryption, topicPodSecurity}, string(apiserver.FormKubeadm)
		f.configDir, f.logPath = "", ""
	}
	a.out, b.out = rootA+"/host", rootB+"/host"
	for range 2 { // the second time they are kept
		r, o, err := doFlow(t, a)
		cli := runCLI(t, rootB, b.command()...)
		compareAPITrees(t, rootA, rootB)
		if err != nil || cli.code != 0 || cli.stdout != o.text || o.text != r.preview {
			t.Errorf("%+v, %v, and %s", o, err, cli.stderr)
		}
		for _, row := range o.rows {
			if !strings.Contains(cli.stderr, row.label+": "+strings.Replace(row.value, rootA, rootB, 1)+" (") {
				t.Errorf("%+v is not in %s", row, cli.stderr)
			}
		}
	}
	ok(t, os.WriteFile(rootA+"/host/etc/kubernetes/apiserver/audit-policy.yaml", []byte("other"), 0o600))
	if _, _, err := doFlow(t, a); err == nil {
		t.Error("a file that says something else is replaced")
	}
	a.replace = true
	if _, _, err := doFlow(t, a); err != nil {
		t.Error(err)
	}
	checkSteps(t, a)
}

// TestAPIServerCheck: what the benchmark finds is mended as apiserver check --fix
// does it.
func TestAPIServerCheck(t *testing.T) {
	t.Parallel()
	var roots [2]string
	var flows [2]*flowAPIServer
	for i := range flows {
		roots[i], flows[i] = newAPINode(t)
		flows[i].what, flows[i].checkPath = apiCheck, flows[i].manifest
	}
	// The audit log has its usual place, below /var: nothing of it is made here.
	for i := range flows {
		data, err := os.ReadFile(flows[i].manifest)
		ok(t, err)
		log := "    - --audit-log-path=" + roots[i] + "/log/audit.log\n    - --audit-policy-file=" + roots[i] + "/policy.yaml\n"
		ok(t, os.WriteFile(flows[i].manifest, bytes.Replace(data, []byte("    - kube-apiserver\n"), []byte("    - kube-apiserver\n"+log), 1), 0o644))
	}
	checkSteps(t, flows[0])
	r, o, err := doFlow(t, flows[0])
	cli := runCLI(t, roots[1], append(flows[1].command(), "--yes")...)
	compareAPITrees(t, roots[0], roots[1])
	if err != nil || o == nil || cli.code != 3 || !strings.Contains(cli.stdout, "Mended: "+o.rows[0].value) || o.warnings == nil {
		t.Fatalf("%+v, %+v, %v, and %d: %s%s", r, o, err, cli.code, cli.stdout, cli.stderr)
	}
	if !strings.Contains(r.preview, "1.2.15") || !strings.Contains(r.preview, "+    - --profiling=false") {
		t.Errorf("shown was %s", r.preview)
	}
	if again, _, err := doFlow(t, flows[0]); err != nil || again.nothing == "" {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	recipe, err := flows[0].explain(t.Context())
	if err != nil || recipe == "" {
		t.Errorf("%s, %v", recipe, err)
	}
}

// TestAPIServerHostile: no text in any field comes to more than a refusal, or what
// the same argument comes to; the manifest stays one that the kubelet reads.
func TestAPIServerHostile(t *testing.T) {
	t.Parallel()
	_, f := newAPINode(t)
	f.topics, f.anonymous, f.provider, f.auditFrom = allTopics(), anonymousPaths, "kms", auditFromFile
	f.anonymousAt, f.kmsEndpoint = []string{"probes"}, "unix:///@kms"
	f.set = [4]string{"event-ttl=2h", "v=2", "min-request-timeout=60", "max-requests-inflight=5"}
	if r, err := f.reviewPatch(); err != nil || r.nothing != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, what := range []string{apiPatch, apiFlags} {
		f.what = what
		for n, hostile := range hostileTexts() {
			checkHostile(f, hostile)
			fillHostile(f, hostile, func(title string) {
				f.command()
				if n++; n%3 > 0 { // each text in a third of the fields, each time in others
					return
				}
				if what == apiFlags {
					_, _ = f.reviewFlags()
					return
				}
				if _, err := f.reviewPatch(); err != nil || f.patch == nil {
					return
				}
				if _, err := apiserver.ParseManifest("it", f.patch.After); err != nil {
					t.Errorf("%s: %q: %v", title, hostile, err)
				}
			})
		}
	}
}

// TestAPIServerChanged: a manifest that somebody else has changed since it was
// shown stays.
func TestAPIServerChanged(t *testing.T) {
	t.Parallel()
	root, f := newAPINode(t)
	f.topics = []string{topicTLS}
	var log jobLog
	_, err := f.review(context.Background(), log.newJob())
	ok(t, err)
	other := append(apiManifest(t), "# changed\n"...)
	ok(t, os.WriteFile(f.manifest, other, 0o640))
	before := apiTree(t, root)
	_, err = f.run(context.Background(), log.newJob())
	if failure.KindOf(err) != failure.Refused {
		t.Errorf("%v", err)
	}
	for path, text := range apiTree(t, root) {
		if before[path] != text && !strings.Contains(filepath.Base(path), "lock") {
			t.Errorf("%s is %s", path, text)
		}
	}
}

// TestAPIServerCommand: what is usual is not in the command.
func TestAPIServerCommand(t *testing.T) {
	t.Parallel()
	f := newFlowAPIServer(apiTestWorld())
	f.topics = []string{topicAudit}
	for _, tt := range []struct {
		do   func()
		want string
	}{
		{func() {}, "apiserver patch --audit-preset cis --wait"},
		{func() { f.waitHere = false }, "apiserver patch --audit-preset cis"},
		{func() { f.manifest = "k.yaml" }, "apiserver patch --manifest k.yaml --audit-preset cis"},
		{func() { f.waitThere, f.timeout = true, "2m" }, "apiserver patch --manifest k.yaml --audit-preset cis --wait --timeout 2m"},
		{func() { f.timeout = "1m" }, "apiserver patch --manifest k.yaml --audit-preset cis --wait"},
		{func() { f.what = apiUndo }, "apiserver patch --manifest k.yaml --undo --wait"},
		{func() { f.what = apiCheck }, "apiserver check --fix"},
		{func() { f.what, f.out = apiFlags, "host" }, "apiserver flags --audit-preset cis --out host"},
		{func() { f.what, f.manifest, f.timeout = apiPatch, apiserver.DefaultManifest, "" }, "apiserver patch --audit-preset cis"},
	} {
		if tt.do(); strings.Join(f.command(), " ") != tt.want {
			t.Errorf("%q, want %s", f.command(), tt.want)
		}
	}
}

// TestAPIServerWait: where no kubelet takes the change the old manifest is put
// back, as with --wait.
func TestAPIServerWait(t *testing.T) {
	t.Parallel()
	rootA, a := newAPINode(t)
	rootB, b := newAPINode(t)
	for _, f := range []*flowAPIServer{a, b} {
		f.topics, f.waitThere, f.timeout = []string{topicTLS}, true, "500ms"
	}
	var log jobLog
	r, err := a.review(t.Context(), log.newJob())
	ok(t, err)
	if last := r.rows[len(r.rows)-1]; last.value != "wait for kube-apiserver for 500ms" {
		t.Errorf("%+v", last)
	}
	_, err = a.run(t.Context(), log.newJob())
	cli := runCLI(t, rootB, append(b.command(), "--yes")...)
	compareAPITrees(t, rootA, rootB)
	if err == nil || cli.code != int(failure.KindOf(err)) || len(log.begun) < 2 {
		t.Errorf("%v, %q, and %d: %s", err, log.begun, cli.code, cli.stderr)
	}
	if now, err := os.ReadFile(a.manifest); err != nil || !bytes.Equal(now, apiManifest(t)) {
		t.Errorf("%v, %s", err, now)
	}
}
