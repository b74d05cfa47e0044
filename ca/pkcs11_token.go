//go:build pkcs11

package ca

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"

	"github.com/pkictl/pkictl/internal/failure"
)

// token is a PKCS#11 token with its user logged in.
type token struct {
	context *crypto11.Context
	name    string
}

// openToken loads the PKCS#11 library, finds the one token that the URI names,
// and logs in. The PIN is asked for once: tokens lock after a few wrong ones.
func openToken(uri tokenURI, ask Passphrase) (tokenSession, error) {
	slot, label, err := findSlot(uri)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("PKCS#11 token %q", label)
	pin, err := tokenPIN(uri, name, ask)
	if err != nil {
		return nil, err
	}
	context, err := crypto11.Configure(&crypto11.Config{Path: uri.modulePath, SlotNumber: &slot, Pin: string(pin)})
	clear(pin)
	if err != nil {
		return nil, loginError(err, name)
	}
	return &token{context: context, name: name}, nil
}

func tokenPIN(uri tokenURI, name string, ask Passphrase) ([]byte, error) {
	if uri.pinSource != "" {
		return ReadPassphraseFile(uri.pinSource)
	}
	return askFor(ask, name, failure.New(failure.Failed, hintEncrypted+" to its PIN", "%s asks for a PIN", name))
}

func loginError(err error, name string) error {
	var code pkcs11.Error
	if errors.As(err, &code) {
		switch code {
		case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE:
			return failure.New(failure.Failed, "check it before you try again: a token locks after a few wrong ones",
				"the PIN of %s is wrong", name)
		case pkcs11.CKR_PIN_LOCKED:
			return failure.New(failure.Failed, "its security officer can set a new one", "the PIN of %s is locked", name)
		}
	}
	return tokenError(err, name, "log in to")
}

func tokenError(err error, name, what string) error {
	return failure.Wrap(err, failure.Failed, "see what the token can do with: pkcs11-tool --module MODULE --list-mechanisms",
		"cannot %s %s", what, name)
}

// findSlot returns the slot of the one token that the URI names, with the
// token's label. crypto11 would take the first of two.
func findSlot(uri tokenURI) (int, string, error) {
	if err := checkModule(uri.modulePath); err != nil {
		return 0, "", err
	}
	module := pkcs11.New(uri.modulePath)
	if module == nil {
		return 0, "", failure.New(failure.Failed, "check that module-path names a PKCS#11 library for this machine",
			"cannot load the PKCS#11 library %q", uri.modulePath)
	}
	defer module.Destroy()
	if err := module.Initialize(); err != nil {
		return 0, "", failure.Wrap(err, failure.Failed, "check the configuration of the library; SoftHSM's is named by SOFTHSM2_CONF",
			"cannot start the PKCS#11 library %q", uri.modulePath)
	}
	defer func() { _ = module.Finalize() }() // nothing was written
	return matchSlot(module, uri)
}

func matchSlot(module *pkcs11.Ctx, uri tokenURI) (int, string, error) {
	slots, err := module.GetSlotList(true)
	if err != nil {
		return 0, "", failure.Wrap(err, failure.Failed, "check that the token is plugged in", "cannot list PKCS#11 tokens")
	}
	var matching []uint
	var labels []string
	label := ""
	for _, slot := range slots {
		info, err := module.GetTokenInfo(slot)
		if err != nil || info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
			continue // unplugged since, or empty
		}
		labels = append(labels, strconv.Quote(info.Label))
		if uri.matches(slot, info) {
			matching, label = append(matching, slot), info.Label
		}
	}
	switch len(matching) {
	case 1:
		return int(matching[0]), label, nil
	case 0:
		hint := "the library has no token; make one, or plug it in"
		if labels != nil {
			hint = "the library has the tokens " + strings.Join(labels, ", ")
		}
		return 0, "", failure.New(failure.Failed, hint, "there is no PKCS#11 token %q", uri.tokenName())
	}
	return 0, "", failure.New(failure.Failed, "name one by its serial, as in pkcs11:serial=NUMBER;object=ca",
		"there are %d PKCS#11 tokens %q", len(matching), uri.tokenName())
}

// matches says whether the URI names the token in that slot (RFC 7512,
// section 2.5: all attributes that are given match).
func (u tokenURI) matches(slot uint, info pkcs11.TokenInfo) bool {
	for _, attribute := range [][2]string{
		{u.token, info.Label}, {u.manufacturer, info.ManufacturerID}, {u.serial, info.SerialNumber}, {u.model, info.Model},
		{u.slotID, strconv.FormatUint(uint64(slot), 10)},
	} {
		if attribute[0] != "" && attribute[0] != attribute[1] {
			return false
		}
	}
	return true
}

func (t *token) find(uri tokenURI) ([]crypto.Signer, error) {
	found, err := t.context.FindKeyPairs([]byte(uri.id), []byte(uri.object))
	if err != nil {
		return nil, tokenError(err, t.name, "look for keys in")
	}
	keys := make([]crypto.Signer, len(found))
	for i, key := range found {
		keys[i] = key
	}
	return keys, nil
}

func (t *token) generate(uri tokenURI, kind KeyKind) (crypto.Signer, error) {
	label, id := []byte(uri.object), []byte(uri.id)
	if len(label) == 0 {
		label = []byte("ca")
	}
	if len(id) == 0 {
		id = make([]byte, 20)
		_, _ = rand.Read(id) // it never fails
	}
	key, err := t.generateKey(id, label, kind)
	if err != nil {
		return nil, tokenError(err, t.name, fmt.Sprintf("make a key of kind %s in", kind))
	}
	return key, nil
}

func (t *token) generateKey(id, label []byte, kind KeyKind) (crypto.Signer, error) {
	switch kind {
	case ECDSAP256:
		return t.context.GenerateECDSAKeyPairWithLabel(id, label, elliptic.P256())
	case ECDSAP384:
		return t.context.GenerateECDSAKeyPairWithLabel(id, label, elliptic.P384())
	}
	bits, err := strconv.Atoi(strings.TrimPrefix(string(kind), "rsa-"))
	if err != nil {
		return nil, fmt.Errorf("unknown key kind %q", kind)
	}
	return t.context.GenerateRSAKeyPairWithLabel(id, label, bits)
}

// close logs out and ends the session.
func (t *token) close() { _ = t.context.Close() } // what counted was signed before
