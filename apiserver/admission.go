package apiserver

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// podSecurityLevels are those of the Pod Security Standards.
var podSecurityLevels = []string{"privileged", "baseline", "restricted"}

// admissionConfig makes an AdmissionConfiguration where a plugin needs one
// (https://kubernetes.io/docs/reference/config-api/apiserver-config.v1).
func (p *planner) admissionConfig() error {
	o := &p.Admission
	var plugins []string
	podSecurity, err := p.podSecurity()
	if err != nil {
		return err
	}
	images, err := p.imagePolicy()
	if err != nil {
		return err
	}
	if plugins = append(podSecurity, images...); plugins != nil {
		o.ConfigFile = cmp.Or(o.ConfigFile, p.below("admission-config.yaml"))
		text := "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n" + strings.Join(plugins, "")
		p.file(File{Path: o.ConfigFile, Mode: 0o600, Data: []byte(text), Why: "the configuration of admission plugins"})
	}
	return p.setPath("admission-control-config-file", o.ConfigFile, "the configuration of admission plugins")
}

func (p *planner) podSecurity() ([]string, error) {
	o := &p.Admission
	if o.PodSecurity == "" {
		if len(o.PodSecurityExempt) > 0 {
			return nil, failure.New(failure.Usage, "add --pod-security", "--pod-security-exempt names namespaces without a level")
		}
		return nil, nil
	}
	if !slices.Contains(podSecurityLevels, o.PodSecurity) {
		return nil, failure.New(failure.Usage, "choose one of "+strings.Join(podSecurityLevels, ", "), "there is no pod security level %q", o.PodSecurity)
	}
	exempt := o.PodSecurityExempt
	if exempt == nil {
		exempt = []string{"kube-system"} // its pods are of the control plane and the network
	}
	for _, namespace := range exempt {
		if !isLabel(namespace) {
			return nil, failure.New(failure.Usage, "give namespaces with commas between them", "--pod-security-exempt %q is no namespace", namespace)
		}
	}
	return []string{`- name: PodSecurity
  configuration:
    apiVersion: pod-security.admission.config.k8s.io/v1
    kind: PodSecurityConfiguration
    # What holds in a namespace that has no labels pod-security.kubernetes.io/.
    defaults:
      enforce: ` + o.PodSecurity + `
      enforce-version: latest
      audit: ` + o.PodSecurity + `
      audit-version: latest
      warn: ` + o.PodSecurity + `
      warn-version: latest
    exemptions:
      usernames: []
      runtimeClasses: []
      namespaces: [` + strings.Join(exempt, ", ") + `]
`}, nil
}

// imagePolicy configures ImagePolicyWebhook
// (k8s.io/kubernetes/plugin/pkg/admission/imagepolicy).
func (p *planner) imagePolicy() ([]string, error) {
	o := &p.Admission
	if o.ImagePolicyConfig == "" {
		if o.ImagePolicyAllow {
			return nil, failure.New(failure.Usage, "add --image-policy-config", "--image-policy-allow is for the plugin ImagePolicyWebhook")
		}
		return nil, nil
	}
	if err := p.needs("image-policy-config", o.ImagePolicyConfig, "the kubeconfig of ImagePolicyWebhook"); err != nil {
		return nil, err
	}
	o.Enable = append(slices.Clone(o.Enable), "ImagePolicyWebhook")
	allow := "false # no answer: no pod, also none of the control plane that is made anew"
	if o.ImagePolicyAllow {
		allow = "true # no answer: every image"
	}
	return []string{`- name: ImagePolicyWebhook
  configuration:
    imagePolicy:
      kubeConfigFile: ` + yamlText(o.ImagePolicyConfig) + `
      allowTTL: 50 # seconds
      denyTTL: 50 # seconds
      retryBackoff: 500 # milliseconds
      defaultAllow: ` + allow + `
`}, nil
}
