package ca

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pkictl/pkictl/internal/failure"
)

// maxTokenURI is more than any PKCS#11 URI needs.
const maxTokenURI = 4 << 10

// tokenURI is a PKCS#11 URI (RFC 7512) that names one private key. It exists
// only if parseTokenURI accepted it.
type tokenURI struct {
	token, manufacturer, serial, model string // of the token; empty: any
	slotID                             string // a decimal number; empty: any
	object, id                         string // label and CKA_ID of the key, of which there is one
	modulePath                         string // of the PKCS#11 library, absolute
	pinSource                          string // absolute path of a file with the PIN; may be empty
}

// tokenURIExample is the hint of every error in a URI.
const tokenURIExample = "write it like 'pkcs11:token=pki;object=ca?module-path=/usr/lib/softhsm/libsofthsm2.so'"

// parseTokenURI reads a PKCS#11 URI. An attribute that is unknown, or that
// says nothing about a private key in a token, is an error: it would change
// nothing, and who wrote it thought that it would.
func parseTokenURI(text string) (tokenURI, error) {
	uri, err := readTokenURI(text)
	if failure.HintOf(err) != "" {
		return tokenURI{}, err
	}
	if err != nil {
		return tokenURI{}, failure.Wrap(err, failure.Usage, tokenURIExample, "not the PKCS#11 URI of a key")
	}
	return uri, nil
}

func readTokenURI(text string) (tokenURI, error) {
	var uri tokenURI
	rest, found := strings.CutPrefix(text, "pkcs11:")
	if !found || len(text) > maxTokenURI {
		return uri, fmt.Errorf("it has to begin with pkcs11: and have at most %d characters", maxTokenURI)
	}
	path, query, hasQuery := strings.Cut(rest, "?")
	seen := map[string]bool{}
	if err := uri.readAttributes(strings.Split(path, ";"), uri.pathField, seen); err != nil {
		return uri, err
	}
	if hasQuery {
		if err := uri.readAttributes(strings.Split(query, "&"), uri.queryField, seen); err != nil {
			return uri, err
		}
	}
	return uri, uri.check()
}

// pathField returns where the value of an attribute of the path goes.
func (u *tokenURI) pathField(name string) *string {
	switch name {
	case "token":
		return &u.token
	case "manufacturer":
		return &u.manufacturer
	case "serial":
		return &u.serial
	case "model":
		return &u.model
	case "slot-id":
		return &u.slotID
	case "object":
		return &u.object
	case "id":
		return &u.id
	case "type":
		return new(string) // there is one value that it can have
	}
	return nil
}

// queryField does the same for the query.
func (u *tokenURI) queryField(name string) *string {
	switch name {
	case "module-path":
		return &u.modulePath
	case "pin-source":
		return &u.pinSource
	}
	return nil
}

func (u *tokenURI) readAttributes(attributes []string, field func(string) *string, seen map[string]bool) error {
	for _, attribute := range attributes {
		name, encoded, _ := strings.Cut(attribute, "=")
		if name == "pin-value" { // and say nothing of the value
			return failure.New(failure.Usage, "leave it out, and pass --passphrase-file or set PKICTL_PASSPHRASE",
				"a pin-value could be read by everybody who sees the process or the file")
		}
		to := field(name)
		switch {
		case to == nil:
			return fmt.Errorf("attribute %q is unknown here", name)
		case seen[name]:
			return fmt.Errorf("attribute %q stands twice", name)
		}
		seen[name] = true
		value, err := url.PathUnescape(encoded)
		if err != nil || value == "" || (name != "id" && !isText(value)) {
			return fmt.Errorf("attribute %q has no value that can be used", name)
		}
		if name == "type" && value != "private" {
			return fmt.Errorf("type %q is not private", value)
		}
		*to = value
	}
	return nil
}

// isText keeps out what cannot be printed, and the end of a C string.
func isText(value string) bool {
	return utf8.ValidString(value) && strings.IndexFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func (u *tokenURI) check() error {
	switch {
	case u.object == "" && u.id == "":
		return fmt.Errorf("object (the label of the key) is missing")
	case u.token == "" && u.serial == "" && u.slotID == "":
		return fmt.Errorf("token (its label) is missing")
	case !filepath.IsAbs(u.modulePath):
		return fmt.Errorf("module-path is not the absolute path of a PKCS#11 library")
	}
	if u.slotID != "" {
		if _, err := strconv.ParseUint(u.slotID, 10, 32); err != nil {
			return fmt.Errorf("slot-id %q is not a number", u.slotID)
		}
	}
	if u.pinSource != "" {
		// A program ("|command") is run by nobody here.
		path := strings.TrimPrefix(u.pinSource, "file:")
		if !filepath.IsAbs(path) {
			return fmt.Errorf("pin-source is not file: with an absolute path")
		}
		u.pinSource = path
	}
	return nil
}

// String writes the URI. It is read again as the same.
func (u tokenURI) String() string {
	var path, query []string
	for _, a := range []struct{ name, value string }{
		{"token", u.token}, {"manufacturer", u.manufacturer}, {"serial", u.serial}, {"model", u.model},
		{"slot-id", u.slotID}, {"object", u.object}, {"id", u.id}, {"type", "private"},
	} {
		if a.value != "" {
			path = append(path, a.name+"="+escapeAttribute(a.value))
		}
	}
	query = append(query, "module-path="+escapeAttribute(u.modulePath))
	if u.pinSource != "" {
		query = append(query, "pin-source=file:"+escapeAttribute(u.pinSource))
	}
	return "pkcs11:" + strings.Join(path, ";") + "?" + strings.Join(query, "&")
}

// escapeAttribute leaves what RFC 3986 calls unreserved, and / for paths,
// which nothing misreads.
func escapeAttribute(value string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), "%2F", "/")
}

// keyName names the key for errors: by its label, or else by its id.
func (u tokenURI) keyName() string {
	if u.object != "" {
		return u.object
	}
	return fmt.Sprintf("%x", u.id)
}

// tokenName names the token for errors.
func (u tokenURI) tokenName() string {
	for _, name := range []string{u.token, u.serial} {
		if name != "" {
			return name
		}
	}
	return "slot " + u.slotID
}
