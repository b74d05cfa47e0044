//go:build linux

package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// benchPolicy has the rules of a policy as it is seen in clusters.
const benchPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: ["system:kube-proxy"], verbs: [watch], resources: [{group: "", resources: [endpoints, services]}]}
- {level: None, userGroups: ["system:nodes"], verbs: [get], resources: [{group: "", resources: [nodes, nodes/status]}]}
- {level: None, users: ["system:apiserver"], verbs: [get], resources: [{group: "", resources: [namespaces]}]}
- {level: None, nonResourceURLs: [/healthz*, /version, /readyz*, /livez*]}
- {level: None, resources: [{group: "", resources: [events]}, {group: events.k8s.io, resources: [events]}]}
- {level: None, resources: [{group: coordination.k8s.io, resources: [leases]}]}
- {level: Metadata, resources: [{group: "", resources: [secrets, configmaps]}, {group: authentication.k8s.io, resources: [tokenreviews]}]}
- {level: Request, verbs: [get, list, watch], resources: [{group: ""}, {group: apps}, {group: rbac.authorization.k8s.io}]}
- {level: RequestResponse, resources: [{group: ""}, {group: apps}, {group: rbac.authorization.k8s.io}]}
- {level: Metadata}
`

// benchEvents are the events of the log.
const benchEvents = 400_000

// writeBenchLog writes a log such as a cluster's, of events of many users and
// resources, at all levels: 1.1 KB each on average.
func writeBenchLog(b *testing.B, path string, events int) {
	b.Helper()
	f, err := os.Create(path)
	ok(b, err)
	w := bufio.NewWriterSize(f, 1<<20)
	object := func(i int) string {
		return fmt.Sprintf(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-%d","namespace":"shop","labels":{"app":"web"},"uid":"3f2b4c1e-0000-4000-8000-%012d"},"spec":{"containers":[{"name":"web","image":"example.com/pause:3.10","resources":{},"terminationMessagePath":"/dev/termination-log","imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always","dnsPolicy":"ClusterFirst"},"status":{"phase":"Pending","qosClass":"BestEffort"}}`, i, i)
	}
	begun := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	paths := []string{
		"get /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-%d", "watch /api/v1/pods?allowWatchBookmarks=true&resourceVersion=%d&watch=true",
		"get /readyz?n=%d", "create /api/v1/namespaces/shop/pods?n=%d", "get /api/v1/namespaces/shop/secrets/s-%d", "patch /api/v1/nodes/node-%d/status",
		"list /apis/apps/v1/deployments?limit=%d", "update /apis/apps/v1/namespaces/shop/deployments/web-%d/scale",
	}
	for i := range events {
		verb, uri, _ := strings.Cut(fmt.Sprintf(paths[i%len(paths)], i%5000), " ")
		level, more := "Metadata", ""
		switch verb {
		case "create", "update":
			level, more = "RequestResponse", `"requestObject":`+object(i)+`,"responseObject":`+object(i)+`,`
		case "patch":
			level, more = "Request", `"requestObject":{"status":{"phase":"Running"}},`
		}
		at := begun.Add(time.Duration(i) * time.Second).Format("2006-01-02T15:04:05.000000Z")
		fmt.Fprintf(w, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":%q,"auditID":"5a1c9c2c-0000-4000-8000-%012d","stage":"ResponseComplete","requestURI":%q,"verb":%q,`+
			`"user":{"username":"system:node:node-%d","uid":"1","groups":["system:nodes","system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=1f0c"]}},`+
			`"sourceIPs":["10.0.0.%d"],"userAgent":"kubelet/v1.36.3 (linux/amd64) kubernetes/abcdef0","objectRef":{"resource":"pods","namespace":"shop","name":"web-%d","apiVersion":"v1"},`+
			`"responseStatus":{"metadata":{},"code":200},%s"requestReceivedTimestamp":%q,"stageTimestamp":%q,"annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":""}}`+"\n",
			level, i, uri, verb, i%1000, i%250, i%5000, more, at, at)
	}
	ok(b, w.Flush())
	ok(b, f.Close())
}

// BenchmarkAuditReplay reads a log with one policy and with two, packed and plain,
// and has jq group the same log by level: once as a stream, its fastest way, and
// once with group_by.
func BenchmarkAuditReplay(b *testing.B) {
	jq, err := exec.LookPath("jq")
	if err != nil {
		b.Fatalf("%v; on Debian: apt-get install jq", err)
	}
	dir := b.TempDir()
	log, policy, short := filepath.Join(dir, "audit.log"), filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "short.log")
	writeBenchLog(b, log, benchEvents)
	writeBenchLog(b, short, benchEvents/10)
	ok(b, os.WriteFile(policy, []byte(benchPolicy), 0o600))
	ok(b, exec.Command("gzip", "-k", log).Run())
	info, err := os.Stat(log)
	ok(b, err)
	replay := func(args ...string) []string {
		return append([]string{released(b), "audit", "replay", "--policy", policy}, args...)
	}
	contenders := []struct {
		name string
		argv []string
	}{
		{"pkictl", replay(log)},
		{"pkictl-against", replay("--against", policy, log)},
		{"pkictl-gz", replay(log + ".gz")},
		{"jq", []string{jq, "-n", `reduce inputs as $e ({}; .[$e.level] += 1)`, log}},
		{"jq-group_by-of-a-tenth", []string{jq, "-s", `group_by(.level) | map({level: .[0].level, events: length})`, short}},
	}
	times, memory := make([][]time.Duration, len(contenders)), make([]int64, len(contenders))
	for range 3 {
		for i, c := range contenders {
			spent, most := timeCommand(b, c.argv)
			times[i], memory[i] = append(times[i], spent), max(memory[i], most)
		}
	}
	_, memoryShort := timeCommand(b, replay(short))
	b.ReportMetric(0, "ns/op")
	ours := median(times[0])
	for i, c := range contenders {
		spent := median(times[i])
		b.ReportMetric(spent.Seconds(), c.name+"-s")
		b.ReportMetric(float64(memory[i])/(1<<20), c.name+"-MiB")
	}
	b.ReportMetric(benchEvents/ours.Seconds(), "events/s")
	b.ReportMetric(float64(info.Size())/1e6/ours.Seconds(), "MB/s")
	b.ReportMetric(float64(memoryShort)/(1<<20), "pkictl-of-a-tenth-MiB")
	b.ReportMetric(float64(median(times[3]))/float64(ours), "jq/pkictl")
	b.ReportMetric(10*float64(median(times[4]))/float64(ours), "jq-group_by/pkictl")
}

// timeCommand returns how long a command takes, and the most memory it has had, in
// bytes. The kernel's own sum, ru_maxrss, begins with that of who starts it.
func timeCommand(b *testing.B, argv []string) (time.Duration, int64) {
	b.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begun := time.Now()
	ok(b, cmd.Start())
	ended, most := make(chan error, 1), int64(0)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				b.Fatalf("%v: %v\n%s", argv, err, out.Bytes())
			}
			return time.Since(begun), most
		case <-time.After(20 * time.Millisecond):
			most = max(most, peakMemory(cmd.Process.Pid))
		}
	}
}

// peakMemory is the most memory that a process has had (proc_pid_status(5)), 0 when
// it has ended.
func peakMemory(pid int) int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(data), "VmHWM:")
	var kib int64
	_, _ = fmt.Sscan(after, &kib)
	return kib << 10
}
