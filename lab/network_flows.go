package lab

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab/networkpolicy"
)

// flow is a line of a recording: what a pod was seen to send or to be sent. The fields
// are those of Inspektor Gadget's network gadgets; others are left aside.
type flow struct {
	Namespace string          `json:"namespace"`
	Pod       string          `json:"pod"`
	PktType   string          `json:"pktType"` // OUTGOING, or HOST for what comes in
	Proto     corev1.Protocol `json:"proto"`
	Port      uint16          `json:"port"` // the destination's
	// RemoteKind is pod or other.
	RemoteKind      string     `json:"remoteKind"`
	RemoteNamespace string     `json:"remoteNamespace"`
	RemoteName      string     `json:"remoteName"`
	RemoteAddr      netip.Addr `json:"remoteAddr"`
}

// readFlows reads a recording in JSON lines, which the lab begins with, into
// connections that are to be possible.
func (c *networkCluster) readFlows(p *params, name string) (open []probe, err error) {
	data, err := readGiven(p.lab.given, path.Join(startDir, name), p.lab.ID, maxGivenFile)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for number := 1; lines.Scan(); number++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		connection, err := c.flow(lines.Bytes())
		if err != nil {
			return nil, failure.Wrap(err, failure.Usage, "write lines as in the recordings of examples/labs", "%q, line %d", name, number)
		}
		if open = append(open, probe{connection, true}); len(open) > maxProbes {
			return nil, failure.New(failure.Usage, "leave out what shows nothing new", "%q has more than %d connections", name, maxProbes)
		}
	}
	return open, lines.Err()
}

func (c *networkCluster) flow(line []byte) (connection networkpolicy.Connection, err error) {
	var f flow
	if err := json.Unmarshal(line, &f); err != nil {
		return connection, err
	}
	f.Proto = corev1.Protocol(strings.ToUpper(string(f.Proto)))
	if _, ok := parsePort(fmt.Sprintf("%d/%s", f.Port, f.Proto)); !ok {
		return connection, fmt.Errorf("there is no port %d/%s", f.Port, f.Proto)
	}
	pod := c.pod(f.Namespace + "/" + f.Pod)
	if pod == nil {
		return connection, fmt.Errorf("there is no pod %s/%s", f.Namespace, f.Pod)
	}
	remote := networkpolicy.End{IP: f.RemoteAddr}
	if f.RemoteKind == "pod" {
		remote.Pod = c.pod(f.RemoteNamespace + "/" + f.RemoteName)
		if remote.Pod == nil {
			return connection, fmt.Errorf("there is no pod %s/%s", f.RemoteNamespace, f.RemoteName)
		}
		if !slices.Contains(remote.Pod.IPs, remote.IP) {
			return connection, fmt.Errorf("%s does not have the address %s", remote.Pod, remote.IP)
		}
	}
	own, err := endBetween(pod, remote)
	connection = networkpolicy.Connection{From: own, To: remote, Port: int32(f.Port), Protocol: f.Proto}
	switch f.PktType {
	case "HOST":
		connection.From, connection.To = remote, own
	case "OUTGOING":
	default:
		err = fmt.Errorf("pktType is %q, not OUTGOING or HOST", f.PktType)
	}
	return connection, err
}
