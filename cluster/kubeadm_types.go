package cluster

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The configuration of kubeadm, as v1beta3 and v1beta4 have it
// (cmd/kubeadm/app/apis/kubeadm/{v1beta3,v1beta4}/types.go of Kubernetes
// v1.36.3). What only one of the two has is tagged with it. All fields are
// here, for kubeadm knows them all; kubeadm_config.go says which are used.

const (
	v1beta3 = "v1beta3"
	v1beta4 = "v1beta4"
)

type kubeadmInit struct {
	typeMeta
	BootstrapTokens  []kubeadmToken          `json:"bootstrapTokens"`
	DryRun           bool                    `json:"dryRun" in:"v1beta4"`
	NodeRegistration kubeadmNodeRegistration `json:"nodeRegistration"`
	LocalAPIEndpoint kubeadmAPIEndpoint      `json:"localAPIEndpoint"`
	CertificateKey   string                  `json:"certificateKey"`
	SkipPhases       []string                `json:"skipPhases"`
	Patches          kubeadmPatches          `json:"patches"`
	Timeouts         kubeadmTimeouts         `json:"timeouts" in:"v1beta4"`
}

type kubeadmCluster struct {
	typeMeta
	Etcd                        kubeadmEtcd       `json:"etcd"`
	Networking                  kubeadmNetworking `json:"networking"`
	KubernetesVersion           string            `json:"kubernetesVersion"`
	ControlPlaneEndpoint        string            `json:"controlPlaneEndpoint"`
	APIServer                   kubeadmAPIServer  `json:"apiServer"`
	ControllerManager           kubeadmComponent  `json:"controllerManager"`
	Scheduler                   kubeadmComponent  `json:"scheduler"`
	DNS                         kubeadmDNS        `json:"dns"`
	Proxy                       kubeadmProxy      `json:"proxy" in:"v1beta4"`
	CertificatesDir             string            `json:"certificatesDir"`
	ImageRepository             string            `json:"imageRepository"`
	FeatureGates                map[string]bool   `json:"featureGates"`
	ClusterName                 string            `json:"clusterName"`
	EncryptionAlgorithm         string            `json:"encryptionAlgorithm" in:"v1beta4"`
	CertificateValidityPeriod   *metav1.Duration  `json:"certificateValidityPeriod" in:"v1beta4"`
	CACertificateValidityPeriod *metav1.Duration  `json:"caCertificateValidityPeriod" in:"v1beta4"`
}

type kubeadmJoin struct {
	typeMeta
	DryRun           bool                    `json:"dryRun" in:"v1beta4"`
	NodeRegistration kubeadmNodeRegistration `json:"nodeRegistration"`
	CACertPath       string                  `json:"caCertPath"`
	Discovery        kubeadmDiscovery        `json:"discovery"`
	ControlPlane     *kubeadmControlPlane    `json:"controlPlane"`
	SkipPhases       []string                `json:"skipPhases"`
	Patches          kubeadmPatches          `json:"patches"`
	Timeouts         kubeadmTimeouts         `json:"timeouts" in:"v1beta4"`
}

// kubeadmToken is that of cmd/kubeadm/app/apis/bootstraptoken/v1/types.go.
type kubeadmToken struct {
	Token       string          `json:"token"`
	Description string          `json:"description"`
	TTL         metav1.Duration `json:"ttl"`
	Expires     metav1.Time     `json:"expires"`
	Usages      []string        `json:"usages"`
	Groups      []string        `json:"groups"`
}

// kubeadmArgs are the flags of a component: a mapping in v1beta3, a list since,
// in which a flag may stand twice.
type kubeadmArgs []kubeadmArg

type kubeadmArg struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type kubeadmComponent struct {
	ExtraArgs    kubeadmArgs     `json:"extraArgs"`
	ExtraVolumes []kubeadmMount  `json:"extraVolumes"`
	ExtraEnvs    []corev1.EnvVar `json:"extraEnvs" in:"v1beta4"`
}

type kubeadmAPIServer struct {
	kubeadmComponent
	CertSANs               []string        `json:"certSANs"`
	TimeoutForControlPlane metav1.Duration `json:"timeoutForControlPlane" in:"v1beta3"`
}

type kubeadmMount struct {
	Name      string `json:"name"`
	HostPath  string `json:"hostPath"`
	MountPath string `json:"mountPath"`
	ReadOnly  bool   `json:"readOnly"`
	PathType  string `json:"pathType"`
}

type kubeadmImage struct {
	ImageRepository string `json:"imageRepository"`
	ImageTag        string `json:"imageTag"`
}

type kubeadmDNS struct {
	kubeadmImage
	Disabled bool `json:"disabled" in:"v1beta4"`
}

type kubeadmProxy struct {
	Disabled bool `json:"disabled"`
}

type kubeadmAPIEndpoint struct {
	AdvertiseAddress string `json:"advertiseAddress"`
	BindPort         int32  `json:"bindPort"`
}

type kubeadmNodeRegistration struct {
	Name                  string         `json:"name"`
	CRISocket             string         `json:"criSocket"`
	Taints                []corev1.Taint `json:"taints"`
	KubeletExtraArgs      kubeadmArgs    `json:"kubeletExtraArgs"`
	IgnorePreflightErrors []string       `json:"ignorePreflightErrors"`
	ImagePullPolicy       string         `json:"imagePullPolicy"`
	ImagePullSerial       bool           `json:"imagePullSerial" in:"v1beta4"`
}

type kubeadmNetworking struct {
	ServiceSubnet string `json:"serviceSubnet"`
	PodSubnet     string `json:"podSubnet"`
	DNSDomain     string `json:"dnsDomain"`
}

type kubeadmEtcd struct {
	Local    kubeadmLocalEtcd     `json:"local"`
	External *kubeadmExternalEtcd `json:"external"`
}

type kubeadmLocalEtcd struct {
	kubeadmImage
	DataDir        string          `json:"dataDir"`
	ExtraArgs      kubeadmArgs     `json:"extraArgs"`
	ExtraEnvs      []corev1.EnvVar `json:"extraEnvs" in:"v1beta4"`
	ServerCertSANs []string        `json:"serverCertSANs"`
	PeerCertSANs   []string        `json:"peerCertSANs"`
}

type kubeadmExternalEtcd struct {
	Endpoints     []string `json:"endpoints"`
	HTTPEndpoints []string `json:"httpEndpoints" in:"v1beta4"`
	CAFile        string   `json:"caFile"`
	CertFile      string   `json:"certFile"`
	KeyFile       string   `json:"keyFile"`
}

type kubeadmControlPlane struct {
	LocalAPIEndpoint kubeadmAPIEndpoint `json:"localAPIEndpoint"`
	CertificateKey   string             `json:"certificateKey"`
}

type kubeadmDiscovery struct {
	BootstrapToken    kubeadmDiscoveryToken `json:"bootstrapToken"`
	File              kubeadmDiscoveryFile  `json:"file"`
	TLSBootstrapToken string                `json:"tlsBootstrapToken"`
	Timeout           metav1.Duration       `json:"timeout" in:"v1beta3"`
}

type kubeadmDiscoveryToken struct {
	Token                    string   `json:"token"`
	APIServerEndpoint        string   `json:"apiServerEndpoint"`
	CACertHashes             []string `json:"caCertHashes"`
	UnsafeSkipCAVerification bool     `json:"unsafeSkipCAVerification"`
}

type kubeadmDiscoveryFile struct {
	KubeConfigPath string `json:"kubeConfigPath"`
}

type kubeadmPatches struct {
	Directory string `json:"directory"`
}

type kubeadmTimeouts struct {
	ControlPlaneComponentHealthCheck metav1.Duration `json:"controlPlaneComponentHealthCheck"`
	KubeletHealthCheck               metav1.Duration `json:"kubeletHealthCheck"`
	KubernetesAPICall                metav1.Duration `json:"kubernetesAPICall"`
	EtcdAPICall                      metav1.Duration `json:"etcdAPICall"`
	TLSBootstrap                     metav1.Duration `json:"tlsBootstrap"`
	Discovery                        metav1.Duration `json:"discovery"`
	UpgradeManifests                 metav1.Duration `json:"upgradeManifests"`
}
