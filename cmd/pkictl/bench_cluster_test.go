//go:build linux

package main_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkictl/pkictl/cluster"
)

// BenchmarkClusterUp runs a control plane to its being ready, by cluster up and by
// a plain loop that starts the same processes with the same flags, by turns.
func BenchmarkClusterUp(b *testing.B) {
	tools, err := filepath.Abs("../../tools/bin")
	ok(b, err)
	var ours, bare []time.Duration
	var keeper int64
	for range 5 {
		spent, memory := timeClusterUp(b, tools)
		ours, bare, keeper = append(ours, spent), append(bare, timeBare(b, tools)), max(keeper, memory)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ours).Seconds(), "s")
	b.ReportMetric(median(bare).Seconds(), "bare-s")
	b.ReportMetric(float64(median(ours))/float64(median(bare)), "of-bare")
	b.ReportMetric(float64(keeper)/(1<<20), "keeper-MiB")
}

// clusterBench makes a cluster directory, and returns that it is in.
func clusterBench(b *testing.B) (dir string, run func(args ...string) []byte) {
	b.Helper()
	dir = b.TempDir()
	run = func(args ...string) []byte {
		b.Helper()
		cmd := exec.Command(released(b), args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			b.Fatalf("pkictl %v: %v", args, err)
		}
		return out
	}
	run("cluster", "init", "--node", "cp-1", "--advertise-address", "10.0.0.10")
	return dir, run
}

// timeClusterUp returns how long cluster up takes, and the keeper's memory in bytes.
func timeClusterUp(b *testing.B, tools string) (time.Duration, int64) {
	b.Helper()
	_, run := clusterBench(b)
	begun := time.Now()
	run("cluster", "up", "--assets", tools, "--port", "auto")
	spent := time.Since(begun)
	var status cluster.Status
	ok(b, json.Unmarshal(run("cluster", "status", "-o", "json"), &status))
	run("cluster", "down")
	return spent, status.Keeper.Memory
}

var (
	recipeCommands = regexp.MustCompile(`(?m)^env -i (?:.*\\\n)+.*$`)
	recipePort     = regexp.MustCompile(`--secure-port=(\d+)`)
)

// timeBare starts the processes that cluster up would, by the commands that it
// prints, and returns how long it takes until the last is ready.
func timeBare(b *testing.B, tools string) time.Duration {
	b.Helper()
	dir, run := clusterBench(b)
	recipe := string(run("cluster", "up", "--assets", tools, "--port", "auto", "--explain"))
	commands := recipeCommands.FindAllString(recipe, -1)
	if len(commands) != 3 {
		b.Fatalf("%d commands in\n%s", len(commands), recipe)
	}
	// The kubeconfig of kube-controller-manager, as the recipe makes it with kubectl.
	port := recipePort.FindStringSubmatch(commands[1])[1]
	ok(b, os.MkdirAll(filepath.Join(dir, "kubernetes", "run"), 0o700))
	data, err := os.ReadFile(filepath.Join(dir, "kubernetes", "controller-manager.conf"))
	ok(b, err)
	local := strings.Replace(string(data), "https://10.0.0.10:6443", "https://127.0.0.1:"+port+"\n    tls-server-name: kubernetes", 1)
	ok(b, os.WriteFile(filepath.Join(dir, "kubernetes", "run", "controller-manager.conf"), []byte(local), 0o600))

	var started []*exec.Cmd
	begun := time.Now()
	for i, command := range commands {
		if i == 2 { // it ends at once where the roles are not there
			awaitURL("https://127.0.0.1:" + port + "/readyz")
		}
		cmd := exec.Command("sh", "-c", "exec "+strings.TrimSuffix(command, "&"))
		ok(b, cmd.Start())
		started = append(started, cmd)
	}
	awaitURL("https://127.0.0.1:" + recipePort.FindStringSubmatch(commands[2])[1] + "/healthz")
	spent := time.Since(begun)
	for i := len(started) - 1; i >= 0; i-- {
		ok(b, started[i].Process.Signal(syscall.SIGTERM))
		_ = started[i].Wait() // it reports the signal
	}
	return spent
}

// awaitURL asks until the answer is 200.
func awaitURL(url string) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for ; ; time.Sleep(50 * time.Millisecond) {
		if response, err := client.Get(url); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
	}
}
