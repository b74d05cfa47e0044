package cluster

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/pkictl/pkictl/internal/staticpod"
)

// RunState says how a run is.
type RunState string

// The states of a run.
const (
	RunReady    RunState = "ready"    // all that should run does
	RunStarting RunState = "starting" // it is not ready yet
	RunStopping RunState = "stopping" // it was told to end
	RunDegraded RunState = "degraded" // something does not run, or is not ready
	RunFailed   RunState = "failed"   // it ended by itself
	RunKilled   RunState = "killed"   // the process that runs it was killed
	RunStopped  RunState = "stopped"  // nothing is to run
)

// Status is what runs of a cluster directory.
type Status struct {
	Dir   string   `json:"dir"`
	State RunState `json:"state"`
	// Server is the URL of the API server, Version that of Kubernetes that it
	// says, Kubeconfig the path of a kubeconfig that reaches it.
	Server     string     `json:"server,omitempty"`
	Version    string     `json:"version,omitempty"`
	Kubeconfig string     `json:"kubeconfig,omitempty"`
	Since      *time.Time `json:"since,omitempty"`
	// Keeper is the process that runs the others.
	Keeper     *ProcessStatus  `json:"keeper,omitempty"`
	Components []ProcessStatus `json:"components"`
	// Failure is why it ended by itself.
	Failure *Failure `json:"failure,omitempty"`
	// ExtraArgs are those that it was started with.
	ExtraArgs map[string][]string `json:"extraArgs,omitempty"`
}

// ProcessStatus is one process.
type ProcessStatus struct {
	Name  string `json:"name"`
	PID   int    `json:"pid,omitempty"` // 0: it does not run
	Port  int    `json:"port,omitempty"`
	Ready bool   `json:"ready"`
	// Problem is why it is not ready.
	Problem string    `json:"problem,omitempty"`
	Since   time.Time `json:"since"`
	// Memory is what it has of the machine's, in bytes; 0 where that is not known.
	Memory int64  `json:"memoryBytes,omitempty"`
	Log    string `json:"log"`
}

// Healthy says whether all runs that should.
func (s *Status) Healthy() bool { return s.State == RunReady }

// ReadStatus looks what runs of a cluster directory, and asks each component
// whether it is ready. It changes nothing.
func ReadStatus(ctx context.Context, dir string) (*Status, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, diskError(err, "use directory %q", dir)
	}
	d := runDirOf(abs)
	status := &Status{Dir: abs, State: RunStopped, Components: []ProcessStatus{}}
	if err := checkIsOne(dir); err != nil {
		return nil, err
	}
	held, err := d.isHeld()
	if err != nil {
		return nil, err
	}
	s, err := d.read()
	if err != nil {
		return nil, err
	}
	if s == nil {
		if held {
			status.State = RunStarting
		}
		return status, nil
	}
	status.describe(ctx, d, s, held)
	return status, nil
}

// checkIsOne refuses what is not the cluster directory of one node: nothing runs
// of it, but perhaps of the one that was meant.
func checkIsOne(dir string) error {
	if isDir(string(runDirOf(dir))) || isDir(PKIDir(dir)) {
		return nil
	}
	nodes, _, err := findDirectories(dir)
	if err != nil {
		return err
	}
	return severalNodes(dir, nodes)
}

func (s *Status) describe(ctx context.Context, d runDir, found *state, held bool) {
	s.Since, s.Failure, s.ExtraArgs = &found.Since, found.Failure, found.Options.ExtraArgs
	s.Server, s.Kubeconfig = httpsURL(found.Ports.APIServer), d.path(adminConf)
	for _, p := range found.Processes {
		s.Components = append(s.Components, ProcessStatus{Name: p.Name, Port: p.Port, Since: p.Since, Log: d.path(p.Name + ".log")})
	}
	switch {
	case found.Phase == phaseFailed && found.Failure != nil:
		s.State = RunFailed
		return
	case !held || !found.Owner.alive():
		s.State = RunKilled
	case found.Phase == phaseStarting:
		s.State = RunStarting
	case found.Phase == phaseStopping:
		s.State = RunStopping
	default:
		s.State = RunReady
	}
	if held {
		s.Keeper = &ProcessStatus{
			Name: keeperName, PID: found.Owner.PID, Since: found.Since, Memory: memory(found.Owner.PID),
			Ready: found.Phase == phaseReady, Log: d.path(keeperName + ".log"),
		}
		if found.Phase == phaseStopping {
			s.Keeper.Problem = "stopping"
		}
	}
	s.ask(ctx, d, found)
}

// ask asks all components at once.
func (s *Status) ask(ctx context.Context, d runDir, found *state) {
	cfg := Config{PKI: found.Options.pki(), Dir: string(d), Assets: found.Options.Assets, Ports: found.Ports}
	if !found.Options.WithoutControllerManager {
		cfg.ControllerManagerKubeconfig = d.path(managerCnf)
	}
	list, err := components(cfg, found.Ports)
	probes := map[string]staticpod.Probe{}
	for _, c := range list {
		probes[c.name] = c.ready
	}
	var wait sync.WaitGroup
	for i, p := range found.Processes {
		if !p.ID.alive() {
			s.Components[i].Problem = "it does not run"
			continue
		}
		s.Components[i].PID, s.Components[i].Memory = p.ID.PID, memory(p.ID.PID)
		if err != nil { // the PKI has changed since
			s.Components[i].Problem = firstLine(err.Error())
			continue
		}
		if probes[p.Name] == nil { // of another version, or an edited file
			s.Components[i].Problem = "there is no such component"
			continue
		}
		wait.Go(func() {
			if err := probes[p.Name](ctx); err != nil {
				s.Components[i].Problem = firstLine(err.Error())
				return
			}
			s.Components[i].Ready = true
		})
	}
	wait.Go(func() { s.Version = servedVersion(ctx, cfg) })
	wait.Wait()
	for _, c := range s.Components {
		if !c.Ready && s.State == RunReady {
			s.State = RunDegraded
		}
	}
}

// servedVersion asks the API server for its version, empty if it does not say.
func servedVersion(ctx context.Context, cfg Config) string {
	conf, err := apiServerTLS(cfg)
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, staticpod.ProbeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, httpsURL(cfg.Ports.APIServer)+"/version", nil)
	if err != nil {
		return ""
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct{ GitVersion string }
	if json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&answer) != nil {
		return ""
	}
	return answer.GitVersion
}
