package csr

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/store"
)

const pendingKind = "PendingUser"

// pending is what a command needs to go on where it was interrupted. It is on
// the disk, with mode 0600, before anything is sent, and is taken away when all
// is in place.
type pending struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Server     string    `json:"server"`         // URL of the API server
	Begun      time.Time `json:"begun,omitzero"` // by the clock of this machine
	Grant      UserGrant `json:"grant"`
	// Replaces is the ID of the certificate that is renewed; empty for a new user.
	Replaces string `json:"replaces,omitempty"`
	// Overwrite says that the file in the way may go.
	Overwrite bool `json:"overwrite,omitempty"`
	// KeyPEM and RequestPEM are empty where the CA in a PKI directory signs: it
	// keeps its own record.
	KeyPEM     string `json:"key,omitempty"`
	RequestPEM string `json:"request,omitempty"`

	signer crypto.Signer // the key, if it was made just now
}

// pendingPath returns where the pending file of a result is.
func pendingPath(out string) string { return out + ".pending" }

// readPending reads the pending file beside out, nil if there is none. One that
// another could have written is refused: it says whose key gets a certificate.
func readPending(out string) (*pending, error) {
	path := pendingPath(out)
	data, err := store.ReadOwn(path, store.MaxPEM)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := parsePending(data)
	if err != nil {
		return nil, failure.New(failure.Failed, "move it away, or start anew with --force", "%q is not what pkictl has written: %v", path, err)
	}
	return p, nil
}

// parsePending decodes a pending file. No error quotes it: it holds a key.
func parsePending(data []byte) (*pending, error) {
	var p pending
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&p) != nil || decoder.More() {
		return nil, errors.New("no such JSON")
	}
	if p.APIVersion != pendingVersion || p.Kind != pendingKind {
		return nil, fmt.Errorf("not of kind %s", pendingKind)
	}
	if p.Grant.Via != ViaCSR {
		return &p, nil
	}
	if _, err := p.key(); err != nil {
		return nil, errors.New("its key cannot be read")
	}
	if p.RequestPEM == "" {
		return nil, errors.New("its request is missing")
	}
	return &p, nil
}

const pendingVersion = "pkictl.dev/v1"

// checkRequest says whether the request is what is made of these options and
// the key: no other subject, name or extension. What is not in the options
// never is in a request that pkictl makes.
func (p *pending) checkRequest(out string, o RequestOptions) error {
	if p.Grant.Via == ViaCA {
		return nil
	}
	key, err := p.key()
	if err != nil {
		return err
	}
	wanted, err := RequestFor(key, o)
	if err != nil {
		return err
	}
	block, rest := pem.Decode([]byte(p.RequestPEM))
	if block == nil || len(bytes.TrimSpace(rest)) > 0 || !bytes.Equal(toBeSigned(block.Bytes), toBeSigned(pemBytes(wanted))) {
		return failure.New(failure.Refused, "see who has changed it; then move it away, or start anew with --force",
			"%q holds another request than the one for user %q", pendingPath(out), o.CommonName)
	}
	return nil
}

func pemBytes(data []byte) []byte {
	block, _ := pem.Decode(data)
	return block.Bytes
}

// toBeSigned returns what the signature of a request in DER form is over; nil
// where it is none.
func toBeSigned(der []byte) []byte {
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil
	}
	return request.RawTBSCertificateRequest
}

// since says when an interrupted run was begun.
func (p *pending) since() string {
	if p.Begun.IsZero() {
		return "before"
	}
	return "at " + p.Begun.UTC().Format(time.RFC3339)
}

func (p *pending) key() (crypto.Signer, error) {
	if p.signer != nil {
		return p.signer, nil
	}
	return ca.ParseKey([]byte(p.KeyPEM), "key", nil)
}

// write brings the pending file to the disk.
func (p *pending) write(out string) error {
	file, err := p.file(out)
	if err != nil {
		return err
	}
	return store.ReplaceFile(file)
}

func (p *pending) file(out string) (store.File, error) {
	p.APIVersion, p.Kind = pendingVersion, pendingKind
	data, err := json.MarshalIndent(p, "", "  ")
	return store.File{Path: pendingPath(out), Data: append(data, '\n'), Mode: 0o600}, err
}

// dropUnfinished removes what a killed process left of writing a result and its
// pending file. The caller holds the lock of the result.
func dropUnfinished(out string) {
	store.DropUnfinished(out)
	store.DropUnfinished(pendingPath(out))
}

func removePending(out string) error {
	err := os.Remove(pendingPath(out))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failure.Wrap(err, failure.Failed, "remove it: it holds a private key", "all is in place, but %q cannot be removed", pendingPath(out))
	}
	return nil
}

// differs says what a command asks for that the one which was interrupted did
// not; empty if nothing.
func (p *pending) differs(other *pending) string {
	a, b := p.Grant, other.Grant
	switch {
	case p.Server != other.Server:
		return "API server " + kubeclient.ShowURL(p.Server)
	case p.Replaces != other.Replaces:
		return "another certificate"
	case a.Name != b.Name:
		return "user " + a.Name
	case !slices.Equal(a.Groups, b.Groups):
		return fmt.Sprintf("groups %q", a.Groups)
	case a.Namespace != b.Namespace:
		return fmt.Sprintf("--namespace %q", a.Namespace)
	case a.Role != b.Role:
		return fmt.Sprintf("--role %q", a.Role)
	case a.ClusterRole != b.ClusterRole:
		return fmt.Sprintf("--cluster-role %q", a.ClusterRole)
	case a.Seconds != b.Seconds:
		return "--for " + ca.FormatValidity(a.Lifetime())
	case a.Via != b.Via:
		return "--via " + string(a.Via)
	case a.Key != b.Key:
		return fmt.Sprintf("--key %q", a.Key)
	}
	return ""
}
