package apiserver

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// API versions of the files that kube-apiserver reads
// (https://kubernetes.io/docs/reference/config-api).
const (
	configV1      = "apiserver.config.k8s.io/v1"
	configV1beta1 = "apiserver.config.k8s.io/v1beta1"
)

// readConfig reads a configuration of that kind and returns its keys beside
// apiVersion and kind. kube-apiserver refuses keys that it does not know.
func (p *planner) readConfig(c Contents, kind string, known []string, takesV1 bool) ([]string, error) {
	file := yamlfile.File{Name: c.Name, Hint: "a file with apiVersion: " + configV1 + " and kind: " + kind}
	root, err := configRoot(file, c.Data)
	if err != nil {
		return nil, err
	}
	versions := []string{configV1, configV1beta1}
	if !takesV1 {
		versions = versions[1:]
	}
	known = append([]string{"apiVersion", "kind"}, known...)
	var keys []string
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch {
		case slices.Contains(keys, key.Value):
			return nil, file.ErrorAt(key, "leave one out", "%q is there twice", key.Value)
		case !slices.Contains(known, key.Value):
			return nil, file.ErrorAt(key, failure.Suggest(key.Value, known), "unknown field %q", key.Value)
		case key.Value == "kind" && value.Value != kind:
			return nil, file.ErrorAt(value, "it is to be kind: "+kind, "kind %q", value.Value)
		case key.Value == "apiVersion" && !slices.Contains(versions, value.Value):
			return nil, file.ErrorAt(value, "kube-apiserver "+p.plan.Version.String()+" takes "+strings.Join(versions, " and "), "apiVersion %q", value.Value)
		}
		keys = append(keys, key.Value)
	}
	for _, required := range []string{"apiVersion", "kind"} {
		if !slices.Contains(keys, required) {
			return nil, file.ErrorAt(root, file.Hint, "%s is missing", required)
		}
	}
	return keys, nil
}

// configRoot returns the mapping that a configuration is.
func configRoot(file yamlfile.File, data []byte) (*yaml.Node, error) {
	documents, err := file.Documents(data)
	if err != nil {
		return nil, err
	}
	root := documents[0]
	if len(documents) > 1 {
		return nil, file.ErrorAt(documents[1], "kube-apiserver reads the first only", "a second document")
	}
	if root.Kind != yaml.MappingNode {
		return nil, file.ErrorAt(root, file.Hint, "not a mapping")
	}
	return root, file.Check(root)
}

// webhooksOf finds the kubeconfigs that an AuthorizationConfiguration names.
func (p *planner) webhooksOf(c Contents) error {
	var config struct {
		Authorizers []struct {
			Webhook struct {
				ConnectionInfo struct {
					KubeConfigFile string `yaml:"kubeConfigFile"`
				} `yaml:"connectionInfo"`
			} `yaml:"webhook"`
		} `yaml:"authorizers"`
	}
	file := yamlfile.File{Name: c.Name, Hint: "authorizers are a list of type, name and webhook"}
	root, err := configRoot(file, c.Data)
	if err != nil {
		return err
	}
	if err := root.Decode(&config); err != nil {
		return file.ErrorAt(root, file.Hint, "%s", strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", ""))
	}
	if len(config.Authorizers) == 0 {
		return file.ErrorAt(root, file.Hint, "there are no authorizers")
	}
	for _, authorizer := range config.Authorizers {
		if path := authorizer.Webhook.ConnectionInfo.KubeConfigFile; path != "" {
			p.plan.asksWebhook = true
			if err := p.needs("authorization-config-from", path, "the kubeconfig of an authorizer"); err != nil {
				return err
			}
		}
	}
	return nil
}

// needs notes a file that kube-apiserver reads although no flag names it.
func (p *planner) needs(flag, path, why string) error {
	if err := checkPath(flag, path); err != nil {
		return err
	}
	p.file(File{Path: path, Mode: 0o600, Why: why})
	p.paths = append(p.paths, usedPath{flag, path, PathFile})
	return nil
}

// yamlText writes a string as YAML, quoted where it has to be.
func yamlText(s string) string {
	data, err := yaml.Marshal(s)
	if err != nil || strings.Count(string(data), "\n") != 1 { // more than a line
		data, _ = yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Value: s})
	}
	return strings.TrimSpace(string(data))
}

func isLabel(s string) bool { return len(validation.IsDNS1123Label(s)) == 0 }
