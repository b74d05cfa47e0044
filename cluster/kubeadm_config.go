package cluster

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/pkictl/pkictl/internal/failure"
)

const (
	kubeadmGroup = "kubeadm.k8s.io/"
	kubeadmPKI   = "/etc/kubernetes/pki"
	migrateHint  = "rewrite it with kubeadm config migrate --old-config FILE --new-config FILE"
)

var kubeadmKinds = []string{"ClusterConfiguration", "InitConfiguration", "JoinConfiguration"}

// migratesKubeadm returns the kubeadm that migrates a version which v1.36.3 does
// not read any more (validateSupportedVersion in
// cmd/kubeadm/app/util/config/common.go). Empty: it reads it, or never has.
func migratesKubeadm(apiVersion string) string {
	switch apiVersion {
	case "v1alpha1":
		return "v1.11"
	case "v1alpha2":
		return "v1.12"
	case "v1alpha3":
		return "v1.14"
	case "v1beta1":
		return "v1.15"
	case "v1beta2":
		return "v1.22"
	}
	return ""
}

// kubeadmReader reads the documents of a configuration of kubeadm into
// Settings.
type kubeadmReader struct {
	settingsFile
	settings Settings
	warnings []string
	alone    bool // there is a JoinConfiguration and no ClusterConfiguration
}

func (f settingsFile) kubeadm(documents []*yaml.Node) (Settings, []string, error) {
	r := kubeadmReader{settingsFile: f}
	byKind := map[string]*yaml.Node{}
	for _, root := range documents {
		meta, err := f.kubeadmMeta(root)
		if err != nil {
			return Settings{}, nil, err
		}
		if first := byKind[meta.Kind]; first != nil {
			return Settings{}, nil, f.ErrorAt(root, fmt.Sprintf("the first begins in line %d; keep one of the two", first.Line),
				"there are two documents of kind %s", meta.Kind)
		}
		byKind[meta.Kind] = root
	}
	read := map[string]func(*yaml.Node) error{
		"ClusterConfiguration": r.cluster, "InitConfiguration": r.init, "JoinConfiguration": r.join,
	}
	r.alone = byKind["ClusterConfiguration"] == nil
	found := false
	for _, kind := range kubeadmKinds { // the first node of the settings is that of init
		root := byKind[kind]
		if root == nil {
			continue
		}
		found = true
		if err := read[kind](root); err != nil {
			return Settings{}, nil, err
		}
	}
	if !found {
		return Settings{}, nil, f.ErrorAt(documents[0], "add one of kind "+strings.Join(kubeadmKinds, ", "), "there is no document of kubeadm")
	}
	return r.settings, r.warnings, nil
}

// kubeadmMeta returns what a document is, which is one that kubeadm reads or
// passes on.
func (f settingsFile) kubeadmMeta(root *yaml.Node) (typeMeta, error) {
	meta, err := f.meta(root)
	if err != nil {
		return meta, err
	}
	group, apiVersion, _ := strings.Cut(meta.APIVersion, "/")
	switch {
	case group+"/" != kubeadmGroup:
		// What `kubeadm config print` writes behind its own documents.
		if group == "kubelet.config.k8s.io" && meta.Kind == "KubeletConfiguration" ||
			group == "kubeproxy.config.k8s.io" && meta.Kind == "KubeProxyConfiguration" {
			return meta, nil
		}
		return meta, f.ErrorAt(root, settingsHint+" ("+kubeadmGroup+v1beta4+")", "%s of kind %s is not what this version of pkictl reads here", shown(meta.APIVersion), shown(meta.Kind))
	case migratesKubeadm(apiVersion) != "":
		return meta, f.ErrorAt(root, migrateHint+", of kubeadm "+migratesKubeadm(apiVersion), "%s is too old", meta.APIVersion)
	case apiVersion != v1beta3 && apiVersion != v1beta4:
		return meta, f.ErrorAt(root, "write it in "+kubeadmGroup+v1beta4+" or "+v1beta3, "%s is not known to this version of pkictl", shown(meta.APIVersion))
	case !slices.Contains(kubeadmKinds, meta.Kind):
		return meta, f.ErrorAt(root, failure.Suggest(meta.Kind, kubeadmKinds),
			"a document of kind %s is not what a cluster's PKI is made from", shown(meta.Kind))
	}
	return meta, nil
}

// decode fills one of the structs of kubeadm.
func (r *kubeadmReader) decode(root *yaml.Node, to any) (*strictDecoder, error) {
	meta, err := r.meta(root)
	if err != nil {
		return nil, err
	}
	d := &strictDecoder{
		settingsFile: r.settingsFile, kind: meta.Kind, nulls: true,
		version: strings.TrimPrefix(meta.APIVersion, kubeadmGroup),
	}
	return d, d.decode(root, to)
}

func (r *kubeadmReader) cluster(root *yaml.Node) error {
	var c kubeadmCluster
	d, err := r.decode(root, &c)
	if err != nil {
		return err
	}
	s := &r.settings
	s.Name = c.ClusterName
	s.Endpoint = c.ControlPlaneEndpoint
	s.ServiceCIDR = c.Networking.ServiceSubnet
	s.DNSDomain = c.Networking.DNSDomain
	for _, name := range c.APIServer.CertSANs {
		s.SANs = append(s.SANs, strings.ToLower(name)) // LowercaseSANs in cmd/kubeadm/app/util/config/common.go
	}
	s.EtcdServerSANs = c.Etcd.Local.ServerCertSANs
	s.EtcdPeerSANs = c.Etcd.Local.PeerCertSANs
	s.ExternalEtcd = c.Etcd.External != nil
	if s.Key, err = d.key(c.EncryptionAlgorithm); err != nil {
		return err
	}
	if s.CAValidity, err = d.validity("caCertificateValidityPeriod", c.CACertificateValidityPeriod); err != nil {
		return err
	}
	if s.Validity, err = d.validity("certificateValidityPeriod", c.CertificateValidityPeriod); err != nil {
		return err
	}
	if s.KubernetesVersion, err = r.version(d, c.KubernetesVersion); err != nil {
		return err
	}
	r.warnCluster(d, c)
	return nil
}

func (r *kubeadmReader) init(root *yaml.Node) error {
	var c kubeadmInit
	d, err := r.decode(root, &c)
	if err != nil {
		return err
	}
	r.node(d, c.NodeRegistration, c.LocalAPIEndpoint, "localAPIEndpoint")
	r.warnNode(d, c.NodeRegistration)
	r.warnPhases(d, c.SkipPhases, c.DryRun)
	return nil
}

func (r *kubeadmReader) join(root *yaml.Node) error {
	var c kubeadmJoin
	d, err := r.decode(root, &c)
	if err != nil {
		return err
	}
	if c.ControlPlane == nil {
		r.warnAt(root, "JoinConfiguration has no controlPlane: it is for a worker, which has no part in this PKI")
		return nil
	}
	if r.alone {
		r.warnAt(root, "JoinConfiguration alone says nothing of the cluster: its settings are the defaults, and its CAs have to be there")
	}
	r.node(d, c.NodeRegistration, c.ControlPlane.LocalAPIEndpoint, "controlPlane.localAPIEndpoint")
	r.warnNode(d, c.NodeRegistration)
	r.warnPhases(d, c.SkipPhases, c.DryRun)
	if c.CACertPath != "" && c.CACertPath != kubeadmPKI+"/ca.crt" {
		r.warn(d, "caCertPath", "is not heeded: the CA is pki/ca.crt of the cluster directory")
	}
	return nil
}

// node adds a node, of which a document need not say anything.
func (r *kubeadmReader) node(d *strictDecoder, registration kubeadmNodeRegistration, endpoint kubeadmAPIEndpoint, path string) {
	if endpoint.AdvertiseAddress == "1.2.3.4" { // placeholderToken and its like in cmd/kubeadm/app/util/config
		r.warn(d, path+".advertiseAddress", "is 1.2.3.4, which kubeadm config print writes as an example: is it this node's?")
	}
	name := strings.ToLower(strings.TrimSpace(registration.Name)) // GetHostname in k8s.io/component-helpers/node/util/hostname.go
	if name != "" || endpoint.AdvertiseAddress != "" {
		r.settings.Nodes = append(r.settings.Nodes, NodeSettings{Name: name, Address: endpoint.AdvertiseAddress})
	}
	port := int(endpoint.BindPort)
	switch {
	case port == 0:
	case r.settings.Port == 0 && len(r.settings.Nodes) <= 1:
		r.settings.Port = port
	case r.settings.Port != port:
		r.warn(d, path+".bindPort", "is not heeded: the port is the same on all nodes, that of the first")
	}
}

// key returns the kind of key for an encryptionAlgorithm. None stays none: the
// default is that of Settings.
func (d *strictDecoder) key(algorithm string) (string, error) {
	if algorithm == "" {
		return "", nil
	}
	names := []string{"RSA-2048", "RSA-3072", "RSA-4096", "ECDSA-P256", "ECDSA-P384"}
	if slices.Contains(names, algorithm) {
		return strings.ToLower(algorithm), nil // as ca.KeyKind has it
	}
	return "", d.ErrorAt(d.places["encryptionAlgorithm"], failure.Suggest(algorithm, names), "unknown encryptionAlgorithm %s", shown(algorithm))
}

// validity returns a period as ca.ParseValidity reads it.
func (d *strictDecoder) validity(path string, period *metav1.Duration) (string, error) {
	switch {
	case period == nil:
		return "", nil
	case period.Duration < time.Second:
		return "", d.ErrorAt(d.places[path], "write it like 8760h0m0s", "%s is shorter than a second", path)
	}
	text := period.Truncate(time.Second).String()
	if hours, whole := strings.CutSuffix(text, "h0m0s"); whole {
		return hours + "h", nil
	}
	return text, nil
}

// kubernetesLabel is what stands for a version (kubeReleaseLabelRegex in
// cmd/kubeadm/app/util/version.go), with the minor version, if there is one.
var kubernetesLabel = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:latest|stable)(?:-1(?:\.([1-9][0-9]?))?)?$`)
})

// version returns kubernetesVersion with its v. Labels like stable-1 stand for
// what dl.k8s.io says today, and nobody is asked here.
func (r *kubeadmReader) version(d *strictDecoder, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	plain := strings.TrimPrefix(strings.TrimPrefix(text, "release/"), "ci/")
	if parsed, err := version.ParseSemantic(plain); err == nil {
		return "v" + parsed.String(), nil
	}
	at, ours := d.places["kubernetesVersion"], version.MustParseSemantic(DefaultKubernetesVersion)
	switch label := kubernetesLabel().FindStringSubmatch(plain); {
	case label == nil:
		return "", d.ErrorAt(at, "write it like "+DefaultKubernetesVersion, "kubernetesVersion %s is not a version", shown(text))
	case label[1] != "" && label[1] != fmt.Sprint(ours.Minor()):
		return "", d.ErrorAt(at, "write the version out, like v1."+label[1]+".0: subjects of certificates follow it",
			"kubernetesVersion %s would have to be looked up", shown(text))
	}
	r.warn(d, "kubernetesVersion", "is a label that is not looked up; "+DefaultKubernetesVersion+" is assumed")
	return "", nil
}
