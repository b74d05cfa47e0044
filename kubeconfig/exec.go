package kubeconfig

import (
	"encoding/json"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"

	"github.com/pkictl/pkictl/internal/failure"
)

// ExecInfoVariable is the environment variable in which client-go tells a
// credential plugin what it wants.
const ExecInfoVariable = "KUBERNETES_EXEC_INFO"

// ExecAPIVersion is the version of the exec credentials that pkictl speaks.
const ExecAPIVersion = clientauthentication.GroupName + "/v1"

const execKind = "ExecCredential"

// ExecInfo is what client-go says to a credential plugin.
type ExecInfo struct {
	Given       bool // by a client; otherwise somebody runs the plugin by hand
	Interactive bool // there is a person to ask
}

// ParseExecInfo reads the value of KUBERNETES_EXEC_INFO, which is empty where
// no client runs the plugin. What it does not know it passes over, as newer
// clients may say more; another version than ExecAPIVersion is an error of kind
// Usage: the client would not read the answer.
func ParseExecInfo(text string) (ExecInfo, error) {
	if text == "" {
		return ExecInfo{}, nil
	}
	const hint = "the client that runs pkictl sets it; leave it out to run pkictl by hand"
	var asked clientauthentication.ExecCredential
	if err := json.Unmarshal([]byte(text), &asked); err != nil {
		return ExecInfo{}, failure.New(failure.Usage, hint, "%s holds no %s in JSON", ExecInfoVariable, execKind)
	}
	switch group, _, _ := strings.Cut(asked.APIVersion, "/"); {
	case group != clientauthentication.GroupName || asked.Kind != execKind:
		return ExecInfo{}, failure.New(failure.Usage, hint, "%s holds %q of %q, and no %s of %s",
			ExecInfoVariable, asked.Kind, asked.APIVersion, execKind, ExecAPIVersion)
	case asked.APIVersion != ExecAPIVersion:
		return ExecInfo{}, failure.New(failure.Usage, "write apiVersion: "+ExecAPIVersion+" into the exec entry of the kubeconfig",
			"the client asks for a credential of version %q; pkictl speaks %s", asked.APIVersion, ExecAPIVersion)
	}
	return ExecInfo{Given: true, Interactive: asked.Spec.Interactive}, nil
}

// ExecAnswer returns the document that a credential plugin prints: one line of
// JSON, with the private key. The client asks again after that time.
func ExecAnswer(certPEM, keyPEM []byte, askAgain time.Time) ([]byte, error) {
	expiration := metav1.NewTime(askAgain)
	data, err := json.Marshal(clientauthentication.ExecCredential{
		TypeMeta: metav1.TypeMeta{APIVersion: ExecAPIVersion, Kind: execKind},
		Status: &clientauthentication.ExecCredentialStatus{
			ExpirationTimestamp: &expiration, ClientCertificateData: string(certPEM), ClientKeyData: string(keyPEM),
		},
	})
	return append(data, '\n'), err
}
