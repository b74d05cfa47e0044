package ca

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"time"
)

// CRLInfo describes a certificate revocation list.
type CRLInfo struct {
	Issuer         string      `json:"issuer"`
	Version        int         `json:"version"`
	Number         string      `json:"number,omitempty"` // hexadecimal, as OpenSSL prints it
	ThisUpdate     time.Time   `json:"thisUpdate"`
	NextUpdate     *time.Time  `json:"nextUpdate,omitempty"`
	AuthorityKeyID string      `json:"authorityKeyID,omitempty"`
	Extensions     []Extension `json:"extensions,omitempty"`
	Count          int         `json:"count"`
	Entries        []CRLEntry  `json:"entries"`

	raw []byte // in DER form
}

// CRLEntry is a revoked certificate.
type CRLEntry struct {
	Serial    string    `json:"serial"`
	RevokedAt time.Time `json:"revokedAt"`
	Reason    string    `json:"reason,omitempty"`
}

// certificateList is the structure of RFC 5280, 5.1. crypto/x509 reads version
// 2 alone, but "openssl ca -gencrl" without a crlnumber writes version 1.
type certificateList struct {
	TBS struct {
		Version    int `asn1:"optional,default:0"`
		Signature  pkix.AlgorithmIdentifier
		Issuer     asn1.RawValue
		ThisUpdate time.Time
		NextUpdate time.Time `asn1:"optional"`
		Revoked    []struct {
			Serial     *big.Int
			Date       time.Time
			Extensions []pkix.Extension `asn1:"optional"`
		} `asn1:"optional"`
		Extensions []pkix.Extension `asn1:"tag:0,optional,explicit"`
	}
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

const (
	oidCRLReason      = "2.5.29.21"
	oidCRLNumber      = "2.5.29.20"
	oidAuthorityKeyID = "2.5.29.35"
)

func decodeCRL(der []byte) (Item, error) {
	var list certificateList
	rest, err := asn1.Unmarshal(der, &list)
	if err != nil {
		return Item{}, err
	}
	if len(rest) > 0 {
		return Item{}, errors.New("there is data behind the revocation list")
	}
	tbs := list.TBS
	info := &CRLInfo{
		raw:    der,
		Issuer: FormatName(tbs.Issuer.FullBytes), Version: tbs.Version + 1, ThisUpdate: tbs.ThisUpdate.UTC(),
		Extensions: listExtensions(tbs.Extensions), Count: len(tbs.Revoked), Entries: make([]CRLEntry, 0, len(tbs.Revoked)),
	}
	if !tbs.NextUpdate.IsZero() {
		next := tbs.NextUpdate.UTC()
		info.NextUpdate = &next
	}
	if err := info.readExtensions(tbs.Extensions); err != nil {
		return Item{}, err
	}
	for _, revoked := range tbs.Revoked {
		reason, err := crlReason(revoked.Extensions)
		if err != nil {
			return Item{}, err
		}
		info.Entries = append(info.Entries, CRLEntry{
			Serial: FormatSerial(revoked.Serial), RevokedAt: revoked.Date.UTC(), Reason: reason,
		})
	}
	return Item{Kind: ItemCRL, CRL: info}, nil
}

func (info *CRLInfo) readExtensions(extensions []pkix.Extension) error {
	for _, extension := range extensions {
		switch extension.Id.String() {
		case oidCRLNumber:
			var number *big.Int
			if _, err := asn1.Unmarshal(extension.Value, &number); err != nil {
				return err
			}
			info.Number = FormatSerial(number)
		case oidAuthorityKeyID:
			var aki struct {
				ID []byte `asn1:"optional,tag:0"`
			}
			if _, err := asn1.Unmarshal(extension.Value, &aki); err != nil {
				return err
			}
			info.AuthorityKeyID = colonHex(aki.ID)
		}
	}
	return nil
}

func crlReason(extensions []pkix.Extension) (string, error) {
	for _, extension := range extensions {
		if extension.Id.String() != oidCRLReason {
			continue
		}
		var code asn1.Enumerated
		if _, err := asn1.Unmarshal(extension.Value, &code); err != nil {
			return "", err
		}
		return reasonName(int(code)), nil
	}
	return "", nil
}
