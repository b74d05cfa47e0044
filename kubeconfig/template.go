package kubeconfig

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Template marshals many entries that have all but user, certificate and key in
// common, without the YAML codec for each.
type Template struct {
	common Entry
	text   string // empty: there is none
}

// What stands in a template for the three.
const (
	userHere = "pkictl-user-here"
	certHere = "pkictl certificate here"
	keyHere  = "pkictl private key here"
)

// NewTemplate returns a template of an entry, of which User, CertPEM and KeyPEM
// do not matter.
func NewTemplate(common Entry) (*Template, error) {
	t := &Template{common: common}
	common.User, common.CertPEM, common.KeyPEM = userHere, []byte(certHere), []byte(keyHere)
	data, err := common.Marshal()
	text := string(data)
	if strings.Count(text, userHere) == 4 && strings.Count(text, encoded(certHere)) == 1 && strings.Count(text, encoded(keyHere)) == 1 &&
		!strings.Contains(common.Cluster, " ") { // where a line is broken would depend on the name
		t.text = text
	}
	return t, err
}

func encoded[T string | []byte](data T) string {
	return base64.StdEncoding.EncodeToString([]byte(data))
}

// plainName matches what YAML takes for a text without quotes, but for
// yamlWords.
var plainName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9.-]*[a-z0-9]$`) })

// yamlWords are not texts in YAML 1.1.
var yamlWords = []string{"yes", "no", "on", "off", "true", "false", "null"}

// Marshal returns what Entry.Marshal does, to the byte.
func (t *Template) Marshal(user string, certPEM, keyPEM []byte) ([]byte, error) {
	if t.text == "" || !plainName().MatchString(user) || slices.Contains(yamlWords, user) {
		entry := t.common
		entry.User, entry.CertPEM, entry.KeyPEM = user, certPEM, keyPEM
		return entry.Marshal()
	}
	return []byte(strings.NewReplacer(userHere, user, encoded(certHere), encoded(certPEM), encoded(keyHere), encoded(keyPEM)).Replace(t.text)), nil
}
