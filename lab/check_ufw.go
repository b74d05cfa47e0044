package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/lab/ufw"
)

// readUFWCheck reads the parameters of a check of commands of ufw, which are read and
// never run:
//
//	file      the commands, one in a line
//	enabled   true: they switch the firewall on
//	incoming  allow, deny or reject: the default for what comes in; several are a list
//	outgoing  the same for what goes out
//	packets   a hidden file of packets, each in a line, as {"packet": "in words", "from":
//	          "10.0.0.5", "port": 22, "protocol": "tcp", "verdict": "allow" or "deny"};
//	          "out": true is for one that leaves
func readUFWCheck(p *params) (grader, error) {
	c := &ufwCheck{params: p}
	file := ""
	var packets []byte
	err := p.fields(
		p.file("file", &file),
		add(&c.conditions, "enabled", c.enabled),
		add(&c.conditions, "incoming", c.policy("incoming", func(f *ufw.Firewall) string { return f.Incoming })),
		add(&c.conditions, "outgoing", c.policy("outgoing", func(f *ufw.Firewall) string { return f.Outgoing })),
		p.hidden("packets", &packets),
	)
	if err != nil {
		return nil, err
	}
	if packets != nil {
		if err := c.readPackets(packets); err != nil {
			return nil, err
		}
		c.conditions = append(c.conditions, c.decides)
	}
	return func(_ context.Context, w *work) finding {
		wanted := "commands in " + file + " that ufw takes"
		data, found := w.learner.file(file, maxHostFile)
		if found != "" {
			return finding{wanted: wanted, found: found}
		}
		firewall, err := ufw.Read(data)
		if err != nil {
			return finding{wanted: wanted, found: withHint(err)}
		}
		return judge(firewall, w, c.conditions)
	}, p.someOf(len(c.conditions), file)
}

type ufwCheck struct {
	*params
	conditions []condition[*ufw.Firewall]
	packets    []ufwPacket
}

type ufwPacket struct {
	Packet   string `json:"packet"`
	From     string `json:"from"`
	To       string `json:"to"`
	Port     int    `json:"port"`
	Protocol string `json:"protocol"`
	Device   string `json:"device"`
	Out      bool   `json:"out"`
	Verdict  string `json:"verdict"`
	is       ufw.Packet
}

func (c *ufwCheck) enabled(n *yaml.Node) (condition[*ufw.Firewall], error) {
	want, err := c.Boolean(n, "enabled")
	word := map[bool]string{true: "on", false: "off"}
	return func(f *ufw.Firewall, _ *work) (string, string, bool) {
		return "the firewall is " + word[want], "it is " + word[f.Enabled], f.Enabled == want
	}, err
}

func (c *ufwCheck) policy(direction string, of func(*ufw.Firewall) string) func(*yaml.Node) (condition[*ufw.Firewall], error) {
	return func(n *yaml.Node) (condition[*ufw.Firewall], error) {
		want, err := c.textOrTexts(n, direction)
		for _, policy := range want {
			if err == nil && policy != "allow" && policy != "deny" && policy != "reject" {
				err = c.ErrorAt(n, "write allow, deny or reject", "%q is no policy", policy)
			}
		}
		return func(f *ufw.Firewall, _ *work) (string, string, bool) {
			is := of(f)
			for _, policy := range want {
				if is == policy {
					return direction + " " + policy + " by default", "", true
				}
			}
			return direction + " " + want[0] + " by default", "it is " + is, false
		}, err
	}
}

func (c *ufwCheck) readPackets(data []byte) error {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxGivenFile)
	for number := 1; lines.Scan(); number++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		p := ufwPacket{From: "192.0.2.1", To: "10.0.1.10", Protocol: "tcp", Device: "eth0"}
		decoder := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&p)
		p.is = ufw.Packet{Out: p.Out, Device: p.Device, Protocol: p.Protocol, ToPort: p.Port, FromPort: 40000}
		if err == nil {
			p.is.From, err = netip.ParseAddr(p.From)
		}
		if err == nil {
			p.is.To, err = netip.ParseAddr(p.To)
		}
		if err != nil || p.Packet == "" || p.Port < 1 || p.Port > 65535 || p.Verdict != "allow" && p.Verdict != "deny" {
			return c.ErrorAt(c.node, `write {"packet": "in words", "from": "10.0.0.5", "port": 22, "protocol": "tcp", "verdict": "allow"}`,
				"line %d of the packets cannot be read: %v", number, err)
		}
		c.packets = append(c.packets, p)
	}
	if lines.Err() != nil || len(c.packets) == 0 {
		return c.ErrorAt(c.node, "write one in each line", "there are no packets")
	}
	return nil
}

// decides sends all packets through the rules.
func (c *ufwCheck) decides(f *ufw.Firewall, _ *work) (wanted, found string, ok bool) {
	for _, p := range c.packets {
		action, by := f.Decide(p.is)
		passes := action == "allow" || action == "limit"
		if passes != (p.Verdict == "allow") {
			return p.Verdict + " " + p.Packet, "the first rule for it: " + by, false
		}
	}
	return fmt.Sprintf("the right verdict of %d packets", len(c.packets)), "", true
}
