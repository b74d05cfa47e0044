package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// nodePatience bounds how long a check waits for an API server that has just been
// started. One that is up is not waited for, nor one that has ended.
const nodePatience = 30 * time.Second

// awaitNode waits until the node acts on the manifests as they are, and until its API
// server is up. It says in found why it is not.
func (w *work) awaitNode(ctx context.Context, client *kubeclient.Client) (found string) {
	ctx, cancel := context.WithTimeout(ctx, nodePatience)
	defer cancel()
	for {
		report, current := w.nodeReport()
		down := report.down()
		if current {
			if code, err := client.Status(ctx, "/readyz"); err == nil && code == 200 {
				return ""
			}
			if again, same := w.nodeReport(); down != "" && same && again.down() != "" {
				return w.notAnswering(again.down(), again.log())
			}
			if since := report.lastStart(); !since.IsZero() && time.Since(since) > nodePatience {
				return w.notAnswering("it is not ready", report.log())
			}
		}
		if wait(ctx) != nil {
			return w.notAnswering("it is not ready", report.log())
		}
	}
}

// nodeReport reads what the node says, and whether that is of the manifests as they
// are now.
func (w *work) nodeReport() (report nodeReport, current bool) {
	data, err := readPlain(w.learner.root, filepath.FromSlash(path.Join(clusterDir, runDir, nodeState)), maxKept)
	if err != nil || json.Unmarshal(data, &report) != nil {
		return nodeReport{}, false
	}
	count := 0
	for _, name := range w.learner.list(nodeManifests) {
		file := filepath.FromSlash(path.Join(nodeManifests, name))
		if info, err := w.learner.root.Lstat(file); err != nil || info.IsDir() || strings.HasPrefix(name, ".") {
			continue
		}
		count++
		data, _ := readPlain(w.learner.root, file, maxPodManifest)
		if report.Pods[name].Manifest != hashOf(data) {
			return report, false
		}
	}
	return report, count == len(report.Pods)
}

// apiServer returns the pod of the API server.
func (r nodeReport) apiServer() (podReport, bool) {
	for _, pod := range r.Pods {
		if pod.Name == cluster.ComponentAPIServer {
			return pod, true
		}
	}
	return podReport{}, false
}

// lastStart is when the last of the containers was started.
func (r nodeReport) lastStart() (last time.Time) {
	for _, pod := range r.Pods {
		if pod.Since.After(last) {
			last = pod.Since
		}
	}
	return last
}

// down says why the API server is not going to answer; empty while it may come up.
func (r nodeReport) down() string {
	pod, there := r.apiServer()
	for name, p := range r.Pods {
		if !there && p.Problem != "" {
			return "the manifest " + name + " cannot be used: " + p.Problem
		}
		if p.Name == cluster.ComponentEtcd && p.Ends > 0 {
			return "etcd ends again and again: " + p.Problem
		}
	}
	switch {
	case !there:
		return "no manifest runs " + cluster.ComponentAPIServer
	case pod.Ends > 0:
		return fmt.Sprintf("it has ended %d times: %s", pod.Ends, pod.Problem)
	}
	return ""
}

func (r nodeReport) log() string {
	pod, _ := r.apiServer()
	return pod.Log
}

// notAnswering says where a learner sees more.
func (w *work) notAnswering(why, log string) string {
	found := "the API server does not answer: " + why
	if log == "" {
		return found + "; see " + nodeJournal
	}
	return found + "; see " + log + " and " + nodeJournal
}
