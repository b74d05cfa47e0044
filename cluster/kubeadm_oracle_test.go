package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// kubeadmBinary returns the real kubeadm, the judge of its own configuration.
func kubeadmBinary(t *testing.T) string {
	t.Helper()
	name := "kubeadm"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	path := filepath.Join("..", "tools", "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; \"make test\" builds the binaries", err)
	}
	return path
}

// kubeadm runs kubeadm and returns all it says.
func kubeadm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.Command(kubeadmBinary(t), args...).CombinedOutput()
	if exit := (&exec.ExitError{}); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), err
}

// verdict is what kubeadm makes of a configuration.
type verdict int

const (
	accepted  verdict = iota
	malformed         // a field that it does not know, or a type that it does not expect
	invalid           // a value that does not please it, which ParseSettings leaves to others
)

func judge(t *testing.T, config []byte) (verdict, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeadm.yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := kubeadm(t, "config", "validate", "--allow-deprecated-api", "--config", file)
	switch {
	case err == nil:
		return accepted, out
	case strings.Contains(out, "the bootstrap token"): // which decodes itself
		return invalid, out
	case strings.Contains(out, "error unmarshaling configuration"), strings.Contains(out, "strict decoding error"),
		strings.Contains(out, "json: "), strings.Contains(out, "yaml: "), strings.Contains(out, "unknown configuration APIs"):
		return malformed, out
	}
	return invalid, out
}

// agree compares what kubeadm and ParseSettings make of a configuration.
func agree(t *testing.T, what string, config []byte) verdict {
	t.Helper()
	said, out := judge(t, config)
	_, _, err := ParseSettings(config, "kubeadm.yaml")
	switch {
	case said == accepted && err != nil:
		t.Errorf("%s: kubeadm accepts it, ParseSettings says: %v", what, err)
	case said == malformed && err == nil:
		t.Errorf("%s: ParseSettings accepts it, kubeadm says: %s", what, out)
	case said == malformed && !strings.Contains(err.Error(), "line "):
		t.Errorf("%s: no line: %v", what, err)
	}
	return said
}

// What kubeadm prints for people to begin with is read.
func TestKubeadmConfigPrinted(t *testing.T) {
	t.Parallel()
	both := "KubeletConfiguration,KubeProxyConfiguration"
	for _, test := range []struct {
		args     []string
		want     Settings
		warnings []string
	}{
		{
			[]string{"init-defaults", "--component-configs", both},
			Settings{
				Name: "kubernetes", Nodes: []NodeSettings{{"node", "1.2.3.4"}}, Port: 6443, ServiceCIDR: "10.96.0.0/12",
				DNSDomain: "cluster.local", Key: "rsa-2048", KubernetesVersion: "v1.36.0", CAValidity: "87600h", Validity: "8760h",
			},
			[]string{"localAPIEndpoint.advertiseAddress is 1.2.3.4"},
		},
		{[]string{"join-defaults"}, Settings{}, []string{"it is for a worker"}},
	} {
		t.Run(test.args[0], func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(kubeadmBinary(t), append([]string{"config", "print"}, test.args...)...)
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			checkSettings(t, out, test.want, test.warnings)
		})
	}
}

// What kubeadm migrates from v1beta3 says the same.
func TestKubeadmConfigMigrated(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "kubeadm", "v1beta3.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, warnings, err := ParseSettings(data, path)
	if err != nil || warnings != nil {
		t.Fatal(err, warnings)
	}
	migrated := filepath.Join(t.TempDir(), "v1beta4.yaml")
	if out, err := kubeadm(t, "config", "migrate", "--old-config", path, "--new-config", migrated); err != nil {
		t.Fatal(out)
	}
	if data, err = os.ReadFile(migrated); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte("kubeadm.k8s.io/v1beta4")) || bytes.Contains(data, []byte("v1beta3")) {
		t.Fatalf("not migrated: %s", data)
	}
	// Migration writes the defaults, too.
	want = want.Over(Settings{Key: "rsa-2048", CAValidity: "87600h", Validity: "8760h"})
	checkSettings(t, data, want, nil)
}

// Each field of each document is misspelt, given twice, and given values of
// other types; kubeadm and ParseSettings have to agree about all of these.
func TestKubeadmConfigMutated(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"v1beta4", "v1beta3", "external"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join("testdata", "kubeadm", name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if said := agree(t, "as it is", data); said != accepted {
				t.Fatal("kubeadm does not accept it")
			}
			count := map[verdict]int{}
			for _, m := range mutants(t, data) {
				count[agree(t, m.what, m.config)]++
			}
			t.Logf("kubeadm accepts %d, calls %d malformed and %d invalid", count[accepted], count[malformed], count[invalid])
			if count[malformed] < 20 {
				t.Errorf("%d malformed configurations only", count[malformed])
			}
		})
	}
}

// What YAML 1.1 and the decoder of Kubernetes make of odd spellings.
func TestKubeadmConfigSpelling(t *testing.T) {
	t.Parallel()
	cc := ccHead + "kubernetesVersion: v1.36.3\n"
	for name, test := range map[string]struct {
		data string
		want verdict
	}{
		"JSON":                 {`{"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration", "kubernetesVersion": "v1.36.3"}`, accepted},
		"JSON with tabs":       {"{\n\t\"apiVersion\": \"kubeadm.k8s.io/v1beta4\",\n\t\"kind\": \"ClusterConfiguration\",\n\t\"kubernetesVersion\": \"v1.36.3\"}", accepted},
		"JSON, field twice":    {`{"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration", "clusterName": "a", "clusterName": "a"}`, malformed},
		"CRLF":                 {strings.ReplaceAll(cc+"dns:\n  disabled: true\n", "\n", "\r\n"), accepted},
		"leading separator":    {"---\n" + cc, accepted},
		"end of document":      {cc + "...\n", accepted},
		"comment":              {"# a\n" + cc + "# b\n", accepted},
		"flow":                 {cc + "apiServer: {certSANs: [a, 'b', \"c\"]}\n", accepted},
		"block text":           {cc + "clusterName: >-\n  a\n", accepted},
		"tagged text":          {cc + "clusterName: !!str 5\n", accepted},
		"quoted keys":          {cc + "\"clusterName\": a\n", accepted},
		"case of a field":      {cc + "clustername: a\n", malformed},
		"case of another":      {cc + "ClusterName: a\n", malformed},
		"yes":                  {cc + "dns: {disabled: yes}\n", accepted},
		"off":                  {cc + "dns: {disabled: OFF}\n", accepted},
		"True":                 {cc + "dns: {disabled: True}\n", accepted},
		"quoted true":          {cc + "dns: {disabled: \"true\"}\n", malformed},
		"yes for a text":       {cc + "clusterName: yes\n", malformed},
		"y for a text":         {cc + "clusterName: y\n", malformed},
		"quoted yes":           {cc + "clusterName: \"yes\"\n", accepted},
		"date for a text":      {cc + "clusterName: 2030-01-02\n", accepted},
		"version as a number":  {ccHead + "kubernetesVersion: 1.36\n", malformed},
		"sexagesimal":          {cc + "clusterName: 1:30\n", accepted},
		"octal port":           {initHead + "localAPIEndpoint: {bindPort: 010000}\n", accepted},
		"octal port of today":  {initHead + "localAPIEndpoint: {bindPort: 0o10000}\n", accepted},
		"hexadecimal port":     {initHead + "localAPIEndpoint: {bindPort: 0x1F90}\n", accepted},
		"port as a float":      {initHead + "localAPIEndpoint: {bindPort: 6443.0}\n", accepted},
		"port with underscore": {initHead + "localAPIEndpoint: {bindPort: 6_443}\n", accepted},
		"fraction of a port":   {initHead + "localAPIEndpoint: {bindPort: 6443.5}\n", malformed},
		"port beyond int32":    {initHead + "localAPIEndpoint: {bindPort: 6442450944}\n", malformed},
		"port beyond int64":    {initHead + "localAPIEndpoint: {bindPort: 99999999999999999999}\n", malformed},
		"infinite port":        {initHead + "localAPIEndpoint: {bindPort: .inf}\n", malformed},
		"empty lists":          {cc + "apiServer: {certSANs: [], extraArgs: [], extraVolumes: }\n", accepted},
		"twice in a map":       {cc + "featureGates: {RootlessControlPlane: true, RootlessControlPlane: true}\n", malformed},
		"twice in a list":      {cc + "apiServer: {extraArgs: [{name: a, name: a}]}\n", malformed},
		"twice, one quoted":    {cc + "clusterName: a\n\"clusterName\": a\n", malformed},
		"flag twice":           {cc + "apiServer: {extraArgs: [{name: a, value: b}, {name: a, value: c}]}\n", accepted},
		"status":               {cc + "status: {}\n", malformed},
		"metadata":             {cc + "metadata: {name: a}\n", malformed},
		"merge":                {cc + "<<: {clusterNam: a}\n", malformed},
		"tab":                  {cc + "dns:\n\tdisabled: true\n", malformed},
		"unclosed":             {cc + "dns: {\n", malformed},
		"unknown version":      {strings.ReplaceAll(cc, "v1beta4", "v1beta9"), malformed},
		"unknown kind":         {strings.ReplaceAll(cc, "ClusterConf", "ClustConf"), malformed},
		"unknown group":        {strings.ReplaceAll(cc, "kubeadm.k8s.io", "kubeadm.example.com"), malformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if said := agree(t, name, []byte(test.data)); said != test.want {
				t.Errorf("kubeadm: %d, want %d", said, test.want)
			}
		})
	}
}

type mutant struct {
	what   string
	config []byte
}

// mutants returns configurations that differ from one in one place.
func mutants(t *testing.T, data []byte) []mutant {
	t.Helper()
	documents := decodeAll(t, data)
	var list []mutant
	add := func(format string, args ...any) {
		list = append(list, mutant{fmt.Sprintf(format, args...), encodeAll(t, documents)})
	}
	others := []string{"7", "word", "true", "[a]", "{a: b}", "yes", "null", "1.5", "2030-01-02", `"7"`, "[null]"}
	turn := 0
	var visit func(n *yaml.Node, path string)
	replace := func(n *yaml.Node, path string) {
		before := *n
		for range 2 { // of the others, in turn
			other := others[turn%len(others)]
			turn++
			var document yaml.Node
			if err := yaml.Unmarshal([]byte(other), &document); err != nil {
				t.Fatal(err)
			}
			*n = *document.Content[0]
			add("%s: %s", path, other)
		}
		*n = before
		visit(n, path)
	}
	visit = func(n *yaml.Node, path string) {
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				key := n.Content[i]
				if key.Value == "apiVersion" || key.Value == "kind" {
					continue
				}
				at := path + "." + key.Value
				name := key.Value
				key.Value += "x"
				add("%sx", at)
				key.Value = name
				replace(n.Content[i+1], at)
			}
			if len(n.Content) > 0 {
				all := n.Content
				n.Content = append(all[:len(all):len(all)], all[0], all[1])
				add("%s.%s twice", path, all[0].Value)
				n.Content = all
			}
		case yaml.SequenceNode:
			for i, element := range n.Content {
				replace(element, fmt.Sprintf("%s[%d]", path, i))
			}
		}
	}
	for i, document := range documents {
		visit(document.Content[0], fmt.Sprintf("document %d: ", i+1))
	}
	return list
}

func decodeAll(t *testing.T, data []byte) []*yaml.Node {
	t.Helper()
	var list []*yaml.Node
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var document yaml.Node
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, &document)
	}
}

func encodeAll(t *testing.T, documents []*yaml.Node) []byte {
	t.Helper()
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	for _, document := range documents {
		if err := encoder.Encode(document); err != nil {
			t.Fatal(err)
		}
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
