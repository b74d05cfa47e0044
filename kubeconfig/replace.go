package kubeconfig

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"reflect"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// Replace returns a kubeconfig in which every user that holds the certificate
// old, embedded, holds certPEM and keyPEM in its place; the key stays where
// keyPEM is nil. Nothing else changes, to the byte. It returns nil where no
// user holds the certificate. The name is what errors call the data.
func Replace(data []byte, name string, old *x509.Certificate, certPEM, keyPEM []byte) ([]byte, error) {
	if held, err := Holds(data, name, old); err != nil || !held {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil || len(document.Content) == 0 {
		return nil, failure.New(failure.Failed, "", "%q is not a kubeconfig", name)
	}
	var edits []edit
	for _, user := range entries(valueOf(document.Content[0], "users")) {
		holder := valueOf(user, "user")
		certificate := valueOf(holder, "client-certificate-data")
		if certificate == nil || !holds(certificate.Value, old) {
			continue
		}
		edits = append(edits, edit{certificate, certPEM})
		if keyPEM == nil {
			continue
		}
		key := valueOf(holder, "client-key-data")
		if key == nil || key.Value == "" {
			return nil, failure.New(failure.Failed, "embed the key with: kubectl config set-credentials NAME --client-key FILE --embed-certs, or keep it with --reuse-key",
				"kubeconfig %q holds the certificate, but its key is elsewhere", name)
		}
		edits = append(edits, edit{key, keyPEM})
	}
	if edits == nil {
		return nil, formError(name)
	}
	replaced, err := apply(data, name, edits)
	if err != nil {
		return nil, err
	}
	if err := checkReplaced(data, replaced, name, old, certPEM, keyPEM); err != nil {
		return nil, err
	}
	return replaced, nil
}

// Holds says whether a user of a kubeconfig holds that certificate, embedded.
// The name is what errors call the data.
func Holds(data []byte, name string, cert *x509.Certificate) (bool, error) {
	config, err := Parse(data, name)
	if err != nil {
		return false, err
	}
	for _, user := range config.AuthInfos {
		if isOf(user.ClientCertificateData, cert) {
			return true, nil
		}
	}
	return false, nil
}

// checkReplaced reads the result as kubectl would, and compares it with what
// was meant: YAML has more ways to say a thing than are looked for here.
func checkReplaced(data, replaced []byte, name string, old *x509.Certificate, certPEM, keyPEM []byte) error {
	want, err := Parse(data, name)
	if err != nil {
		return err
	}
	for _, user := range want.AuthInfos {
		if isOf(user.ClientCertificateData, old) {
			user.ClientCertificateData = certPEM
			if keyPEM != nil {
				user.ClientKeyData = keyPEM
			}
		}
	}
	if got, err := Parse(replaced, name); err != nil || !reflect.DeepEqual(got, want) {
		return formError(name)
	}
	return nil
}

func formError(name string) error {
	return failure.New(failure.Failed, "write it anew with: kubectl config view --raw --flatten",
		"the certificate or key in kubeconfig %q stands there in a form that pkictl does not edit, such as on several lines", name)
}

// edit is a scalar that gets the base64 form of data for its value.
type edit struct {
	node *yaml.Node
	data []byte
}

// apply makes the edits. Quotes stay.
func apply(data []byte, name string, edits []edit) ([]byte, error) {
	text := yamlfile.NewText(data)
	var splices []yamlfile.Splice
	done := map[*yaml.Node]bool{} // two users may be aliases of one
	for _, e := range edits {
		at := text.Place(e.node)
		if at < 0 || !bytes.HasPrefix(data[at:], []byte(e.node.Value)) {
			return nil, formError(name)
		}
		if !done[e.node] {
			value := base64.StdEncoding.EncodeToString(e.data)
			splices = append(splices, yamlfile.Splice{From: at, To: at + len(e.node.Value), Text: []byte(value)})
		}
		done[e.node] = true
	}
	data = text.Apply(splices)
	if data == nil {
		return nil, formError(name)
	}
	return data, nil
}

// valueOf returns the value of a key in an object, nil where there is none.
func valueOf(object *yaml.Node, key string) *yaml.Node {
	if object != nil && object.Kind == yaml.AliasNode {
		object = object.Alias
	}
	if object == nil || object.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(object.Content); i += 2 {
		if object.Content[i].Value == key {
			if value := object.Content[i+1]; value.Kind == yaml.AliasNode {
				return value.Alias
			}
			return object.Content[i+1]
		}
	}
	return nil
}

func entries(list *yaml.Node) []*yaml.Node {
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	return list.Content
}

// holds says whether base64 of PEM begins with that certificate.
func holds(value string, cert *x509.Certificate) bool {
	data, err := base64.StdEncoding.DecodeString(value)
	return err == nil && isOf(data, cert)
}

// isOf says whether PEM begins with that certificate.
func isOf(data []byte, cert *x509.Certificate) bool {
	block, _ := pem.Decode(data)
	return block != nil && bytes.Equal(block.Bytes, cert.Raw)
}
