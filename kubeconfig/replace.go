package kubeconfig

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
)

// Replace returns a kubeconfig in which every user that holds the certificate
// old, embedded, holds certPEM and keyPEM in its place; the key stays where
// keyPEM is nil. Nothing else changes, to the byte. It returns nil where no
// user holds the certificate. The name is what errors call the data.
func Replace(data []byte, name string, old *x509.Certificate, certPEM, keyPEM []byte) ([]byte, error) {
	if _, err := Parse(data, name); err != nil {
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
		if key == nil {
			return nil, failure.New(failure.Failed, "embed the key with: kubectl config set-credentials NAME --client-key FILE --embed-certs, or keep it with --reuse-key",
				"kubeconfig %q holds the certificate, but its key is elsewhere", name)
		}
		edits = append(edits, edit{key, keyPEM})
	}
	if edits == nil {
		return nil, nil
	}
	return apply(data, name, edits)
}

// edit is a scalar that gets the base64 form of data for its value.
type edit struct {
	node *yaml.Node
	data []byte
}

// apply makes the edits from the last to the first, so that the places of those
// before stay true.
func apply(data []byte, name string, edits []edit) ([]byte, error) {
	slices.SortFunc(edits, func(a, b edit) int { return place(data, b.node) - place(data, a.node) })
	for _, e := range edits {
		at := place(data, e.node)
		if at < 0 || !bytes.HasPrefix(data[at:], []byte(e.node.Value)) {
			return nil, failure.New(failure.Failed, "write it anew with: kubectl config view --raw --flatten",
				"the certificate or key in kubeconfig %q stands on several lines", name)
		}
		value := base64.StdEncoding.EncodeToString(e.data)
		data = slices.Concat(data[:at], []byte(value), data[at+len(e.node.Value):])
	}
	return data, nil
}

// place returns where the text of a scalar begins, -1 where that is unclear.
func place(data []byte, node *yaml.Node) int {
	at := 0
	for range node.Line - 1 {
		next := bytes.IndexByte(data[at:], '\n')
		if next < 0 {
			return -1
		}
		at += next + 1
	}
	at += node.Column - 1
	if node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		at++
	}
	if at > len(data) {
		return -1
	}
	return at
}

// valueOf returns the value of a key in an object, nil where there is none.
func valueOf(object *yaml.Node, key string) *yaml.Node {
	if object == nil || object.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(object.Content); i += 2 {
		if object.Content[i].Value == key {
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
	if err != nil {
		return false
	}
	block, _ := pem.Decode(data)
	return block != nil && bytes.Equal(block.Bytes, cert.Raw)
}
