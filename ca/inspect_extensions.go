package ca

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// RequestedInfo is what a certificate and a request for one have in common
// beside the subject and the key.
type RequestedInfo struct {
	KeyUsages         []string          `json:"keyUsages,omitempty"`
	ExtendedKeyUsages []string          `json:"extendedKeyUsages,omitempty"`
	BasicConstraints  *BasicConstraints `json:"basicConstraints,omitempty"`
	SANs              *AltNames         `json:"sans,omitempty"`
	Extensions        []Extension       `json:"extensions,omitempty"` // all of them
}

// BasicConstraints say whether a certificate is a CA's (RFC 5280, 4.2.1.9).
type BasicConstraints struct {
	CA         bool `json:"ca"`
	PathLength *int `json:"pathLength,omitempty"` // nil: no limit
}

// AltNames are subject alternative names by type (RFC 5280, 4.2.1.6).
type AltNames struct {
	DNS   []string `json:"dns,omitempty"`
	IP    []string `json:"ip,omitempty"`
	URI   []string `json:"uri,omitempty"`
	Email []string `json:"email,omitempty"`
	Other []string `json:"other,omitempty"` // the type, and the value where it is a name or an OID
}

// Extension is one extension of a certificate, request or revocation list.
type Extension struct {
	OID      string `json:"oid"`
	Name     string `json:"name,omitempty"` // where it is described elsewhere in full
	Critical bool   `json:"critical,omitempty"`
	Length   int    `json:"length"` // of its value, in octets
}

// Names of the extensions that an Item describes, as in Extension.Name.
const (
	ExtKeyUsage         = "key usage"
	ExtExtendedKeyUsage = "extended key usage"
	ExtBasicConstraints = "basic constraints"
	ExtSANs             = "subject alternative names"
	ExtNameConstraints  = "name constraints"
)

const (
	oidKeyUsage         = "2.5.29.15"
	oidSANs             = "2.5.29.17"
	oidBasicConstraints = "2.5.29.19"
	oidExtendedKeyUsage = "2.5.29.37"
)

// extensionNames has the extensions that are described by fields of an Item.
var extensionNames = map[string]string{
	"2.5.29.14":         "subject key identifier",
	oidKeyUsage:         ExtKeyUsage,
	oidSANs:             ExtSANs,
	oidBasicConstraints: ExtBasicConstraints,
	"2.5.29.20":         "CRL number",
	"2.5.29.30":         ExtNameConstraints,
	"2.5.29.31":         "CRL distribution points",
	"2.5.29.32":         "certificate policies",
	"2.5.29.35":         "authority key identifier",
	oidExtendedKeyUsage: ExtExtendedKeyUsage,
	"1.3.6.1.5.5.7.1.1": "authority information access",
}

// keyUsageNames are the bits of a key usage (RFC 5280, 4.2.1.3), in the words
// that a profile uses.
var keyUsageNames = []string{
	"digital signature", "content commitment", "key encipherment", "data encipherment", "key agreement",
	"cert sign", "crl sign", "encipher only", "decipher only",
}

// extendedUsageNames has the extended usages, in the words that a profile uses.
var extendedUsageNames = map[string]string{
	"2.5.29.37.0":            "any",
	"1.3.6.1.5.5.7.3.1":      "server auth",
	"1.3.6.1.5.5.7.3.2":      "client auth",
	"1.3.6.1.5.5.7.3.3":      "code signing",
	"1.3.6.1.5.5.7.3.4":      "email protection",
	"1.3.6.1.5.5.7.3.5":      "ipsec end system",
	"1.3.6.1.5.5.7.3.6":      "ipsec tunnel",
	"1.3.6.1.5.5.7.3.7":      "ipsec user",
	"1.3.6.1.5.5.7.3.8":      "timestamping",
	"1.3.6.1.5.5.7.3.9":      "ocsp signing",
	"1.3.6.1.4.1.311.10.3.3": "microsoft sgc",
	"2.16.840.1.113730.4.1":  "netscape sgc",
}

// newRequestedInfo reads the extensions that have a field of their own, and
// lists all.
func newRequestedInfo(extensions []pkix.Extension, sans SANs) (RequestedInfo, error) {
	var info RequestedInfo
	for _, extension := range extensions {
		oid := extension.Id.String()
		if err := info.read(oid, extension.Value, sans); err != nil {
			return info, fmt.Errorf("its extension %s (%s) is damaged", oid, extensionNames[oid])
		}
	}
	info.Extensions = listExtensions(extensions)
	return info, nil
}

func (info *RequestedInfo) read(oid string, value []byte, sans SANs) error {
	switch oid {
	case oidKeyUsage:
		var bits asn1.BitString
		if _, err := asn1.Unmarshal(value, &bits); err != nil {
			return err
		}
		for bit, name := range keyUsageNames {
			if bits.At(bit) == 1 {
				info.KeyUsages = append(info.KeyUsages, name)
			}
		}
	case oidExtendedKeyUsage:
		var usages []asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(value, &usages); err != nil {
			return err
		}
		for _, usage := range usages {
			info.ExtendedKeyUsages = append(info.ExtendedKeyUsages, extendedUsageName(usage))
		}
	case oidBasicConstraints:
		var err error
		info.BasicConstraints, err = basicConstraints(value)
		return err
	case oidSANs:
		other, err := otherNames(value)
		if err != nil {
			return err
		}
		info.SANs = newAltNames(sans)
		info.SANs.Other = other
	}
	return nil
}

func extendedUsageName(oid asn1.ObjectIdentifier) string {
	if name := extendedUsageNames[oid.String()]; name != "" {
		return name
	}
	return oid.String()
}

func basicConstraints(value []byte) (*BasicConstraints, error) {
	var constraints struct {
		CA         bool `asn1:"optional"`
		PathLength int  `asn1:"optional,default:-1"`
	}
	if _, err := asn1.Unmarshal(value, &constraints); err != nil {
		return nil, err
	}
	result := &BasicConstraints{CA: constraints.CA}
	if constraints.PathLength >= 0 {
		result.PathLength = &constraints.PathLength
	}
	return result, nil
}

func newAltNames(sans SANs) *AltNames {
	names := &AltNames{DNS: sans.DNS, Email: sans.Emails}
	for _, ip := range sans.IPs {
		names.IP = append(names.IP, ip.String())
	}
	for _, uri := range sans.URIs {
		names.URI = append(names.URI, uri.String())
	}
	return names
}

// otherNames lists the names of types that crypto/x509 passes over. Their tags
// are the choices of GeneralName (RFC 5280, 4.2.1.6).
func otherNames(value []byte) ([]string, error) {
	var names []asn1.RawValue
	if _, err := asn1.Unmarshal(value, &names); err != nil {
		return nil, err
	}
	var others []string
	for _, name := range names {
		switch name.Tag {
		case 0: // SEQUENCE { type-id OBJECT IDENTIFIER, value [0] }, with an implicit tag
			var oid asn1.ObjectIdentifier
			if _, err := asn1.Unmarshal(name.Bytes, &oid); err != nil {
				return nil, err
			}
			others = append(others, "otherName "+oid.String())
		case 3:
			others = append(others, "x400Address")
		case 4:
			others = append(others, "directoryName "+FormatName(name.Bytes))
		case 5:
			others = append(others, "ediPartyName")
		case 8:
			others = append(others, "registeredID "+registeredID(name.Bytes))
		}
	}
	return others, nil
}

// registeredID reads an OBJECT IDENTIFIER whose tag is another, implicit one.
func registeredID(content []byte) string {
	der, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagOID, Bytes: content})
	if err != nil {
		return "(damaged)"
	}
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(der, &oid); err != nil {
		return "(damaged)"
	}
	return oid.String()
}

func listExtensions(extensions []pkix.Extension) []Extension {
	var list []Extension
	for _, extension := range extensions {
		oid := extension.Id.String()
		list = append(list, Extension{
			OID: oid, Name: extensionNames[oid], Critical: extension.Critical, Length: len(extension.Value),
		})
	}
	return list
}

// IsCritical says whether the extension with that name is there and critical.
func (info RequestedInfo) IsCritical(name string) bool {
	for _, extension := range info.Extensions {
		if extension.Name == name {
			return extension.Critical
		}
	}
	return false
}

// plain is the text of an error without the name of a Go package.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "x509: ") }

// KeyUsageNames lists the key usages, as RequestedInfo names them.
func KeyUsageNames() []string { return slices.Clone(keyUsageNames) }

// ExtendedKeyUsageNames lists the extended key usages that have a name.
func ExtendedKeyUsageNames() []string { return slices.Sorted(maps.Values(extendedUsageNames)) }
