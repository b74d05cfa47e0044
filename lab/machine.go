package lab

import (
	"os"
	"slices"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
)

// What a lab may need of the machine.
const (
	NeedsCluster = "cluster" // kube-apiserver and etcd, which run the lab's own cluster
	NeedsOPA     = "opa"     // the program opa
)

// Needs lists what a lab may need of the machine.
func Needs() []string { return []string{NeedsCluster, NeedsOPA} }

// Machine is what a machine has for labs. A nil one has nothing.
type Machine struct {
	OPA    string         // path of the program opa, empty where there is none
	Nginx  string         // path of the program nginx, empty where there is none
	Assets cluster.Assets // the binaries of a control plane
	// NoCluster is why no control plane can be run.
	NoCluster error
	// Program is the path of pkictl itself, which runs a lab's cluster in the background.
	Program string
}

// FindMachine looks for the programs that labs use: opa and nginx on PATH, nginx beside
// in /usr/sbin, where PATH often does not lead; those of a control plane where
// cluster.FindAssets looks.
func FindMachine(program, assets string, env func(string) string) *Machine {
	sbin := func(name string) string {
		if name == "PATH" {
			return env(name) + string(os.PathListSeparator) + "/usr/sbin"
		}
		return env(name)
	}
	m := &Machine{OPA: cluster.FindProgram("opa", env), Nginx: cluster.FindProgram("nginx", sbin), Program: program}
	m.Assets, m.NoCluster = cluster.FindAssets(assets, env)
	return m
}

// Lacks says why a need is not met, and with the error's hint how it can be; nil if
// it is.
func (m *Machine) Lacks(need string) error {
	switch {
	case need == NeedsOPA && (m == nil || m.OPA == ""):
		return failure.New(failure.Failed, "install Open Policy Agent 1.0 or later from openpolicyagent.org, and put opa on PATH",
			"the program opa is not on PATH")
	case need == NeedsCluster && m == nil:
		return failure.New(failure.Failed, "", "no cluster can be started here")
	case need == NeedsCluster && m.NoCluster != nil:
		return m.NoCluster
	case need == NeedsCluster && m.Assets.ControllerManager == "":
		return failure.New(failure.Failed, "take it from the Kubernetes release that kube-apiserver is of; setup-envtest has none",
			"the program kube-controller-manager is not beside kube-apiserver")
	}
	return nil
}

// meets says whether the machine has all that a lab needs.
func (m *Machine) meets(l *Lab) bool {
	return !slices.ContainsFunc(l.Needs, func(need string) bool { return m.Lacks(need) != nil })
}

// lacks is the error for a lab that cannot be worked on here.
func (m *Machine) lacks(l *Lab) error {
	for _, need := range l.Needs {
		if err := m.Lacks(need); err != nil {
			return failure.Wrap(err, failure.Failed, "", "lab %q cannot be done on this machine", l.ID)
		}
	}
	return nil
}
