package apiserver

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/staticpod"
)

// CheckLive asks a running API server: for the pods of the control plane, as the
// kubelets show them in kube-system, whose commands are held against the
// benchmark, and for what can be seen from outside. Files that the flags name are
// on the nodes: what they decide is unknown.
func CheckLive(ctx context.Context, client *kubeclient.Client, o CheckOptions) (*CheckReport, error) {
	selected, err := SelectChecks(o)
	if err != nil {
		return nil, err
	}
	report := &CheckReport{Server: kubeclient.ShowURL(client.Server())}
	nodes, err := livePods(ctx, client)
	switch {
	case apierrors.IsForbidden(err):
		report.note("user %q may not list the pods of kube-system, whose commands say the flags: what can be seen from outside was checked alone", client.User)
	case err != nil:
		return nil, err
	case len(nodes) == 0:
		report.note("kube-system has no pods of a control plane, as where others run it: what can be seen from outside was checked alone")
	}
	for _, c := range nodes {
		for _, p := range c.pods {
			report.Checked = append(report.Checked, CheckedFile{Component: p.component, Node: p.node, Version: p.version})
		}
		report.Results = append(report.Results, c.run(selected)...)
	}
	report.Drift = drift(nodes)
	seen, err := lookFromOutside(ctx, client, selected)
	if err != nil {
		return nil, err
	}
	report.Results = inOrder(selected, slices.Concat(report.Results, seen))
	report.conclude()
	return report, nil
}

func (r *CheckReport) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// inOrder sorts results by their checks, and those of one check as they are.
func inOrder(checks []Check, results []CheckResult) []CheckResult {
	index := map[string]int{}
	for i, check := range checks {
		index[check.ID] = i
	}
	slices.SortStableFunc(results, func(a, b CheckResult) int { return cmp.Compare(index[a.ID], index[b.ID]) })
	return results
}

// livePods returns the components that the pods of kube-system run, a checker for
// each node, by name.
func livePods(ctx context.Context, client *kubeclient.Client) ([]*cisChecker, error) {
	list := new(corev1.PodList)
	if err := client.List(ctx, kubeclient.Pods("kube-system"), metav1.ListOptions{LabelSelector: "tier=control-plane"}, list); err != nil {
		return nil, err
	}
	nodes := map[string]*cisChecker{}
	for i := range list.Items {
		p := livePod(&list.Items[i])
		if p == nil {
			continue
		}
		if nodes[p.node] == nil {
			nodes[p.node] = new(cisChecker)
		}
		nodes[p.node].pods = append(nodes[p.node].pods, p)
	}
	var sorted []*cisChecker
	for _, c := range nodes {
		sorted = append(sorted, c)
	}
	slices.SortFunc(sorted, func(a, b *cisChecker) int { return cmp.Compare(a.pods[0].node, b.pods[0].node) })
	return sorted, nil
}

// livePod returns the component that a pod runs, nil for other pods.
func livePod(pod *corev1.Pod) *checkedPod {
	component := pod.Labels["component"]
	if !slices.Contains([]string{Component, componentControllerManager, componentScheduler, componentEtcd}, component) {
		return nil
	}
	running := staticpod.Find(pod, component)
	if running == nil {
		return nil
	}
	p := &checkedPod{component: component, node: cmp.Or(pod.Spec.NodeName, pod.Name), running: running, version: imageVersion(running)}
	if component != Component {
		return p
	}
	pod.APIVersion, pod.Kind = "v1", "Pod" // which lists leave out
	data, err := yaml.Marshal(pod)
	if err == nil {
		p.manifest, _ = ParseManifest(pod.Name, data) // one that cannot be edited is still read
	}
	return p
}

// Drift is a flag of kube-apiserver that is not the same on all nodes.
type Drift struct {
	Flag   string            `json:"flag"`
	Values map[string]string `json:"values"` // by node; "" where it is not set
}

// perNode are flags that are not the same on all nodes.
func perNode() []string { return []string{"advertise-address", "bind-address", "etcd-servers"} }

// drift compares the flags of kube-apiserver between nodes.
func drift(nodes []*cisChecker) []Drift {
	var servers []*checkedPod
	flags := map[string]bool{}
	for _, c := range nodes {
		if p := c.pod(Component); p != nil {
			servers = append(servers, p)
			for flag := range p.running.Flags {
				flags[normal(flag)] = true
			}
		}
	}
	var found []Drift
	for flag := range flags {
		values, differ := map[string]string{}, false
		for _, p := range servers {
			value, _ := p.value(flag)
			values[p.node] = value
			differ = differ || value != values[servers[0].node]
		}
		if differ && !slices.Contains(perNode(), flag) {
			found = append(found, Drift{flag, values})
		}
	}
	slices.SortFunc(found, func(a, b Drift) int { return strings.Compare(a.Flag, b.Flag) })
	return found
}
