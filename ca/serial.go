package ca

import (
	"math/big"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// maxSerialDigits are those of the longest serial that any certificate here may
// have, in hexadecimal. RFC 5280 allows 40; some CAs have one octet more.
const maxSerialDigits = 42

// ParseSerials returns the serial numbers that a text may stand for. It is
// hexadecimal in either case, with or without colons or 0x, as OpenSSL, Go and
// browsers print it. A number with more digits than a serial has is decimal, as
// cfssl prints it. Only with colons or 0x it certainly is a serial: a word like
// "decade" may be a name too.
func ParseSerials(text string) (serials []*big.Int, certain bool, err error) {
	digits := text
	if rest, found := cutPrefixFold(text, "0x"); found {
		digits, certain = rest, true
	}
	if pairs := strings.Split(digits, ":"); len(pairs) > 1 && len(strings.Trim(digits, "0123456789abcdefABCDEF:")) == 0 {
		certain = true
		for _, pair := range pairs {
			if len(pair) != 2 {
				return nil, true, failure.New(failure.Usage, "write it as pkictl list prints it, or as pairs of digits with colons",
					"%q is not a serial number", text)
			}
		}
		digits = strings.Join(pairs, "")
	}
	isHex := digits != "" && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
	switch {
	case isHex && len(digits) <= maxSerialDigits:
		if n, valid := new(big.Int).SetString(digits, 16); valid {
			serials = append(serials, n)
		}
	case certain:
		return nil, true, failure.New(failure.Usage, "write it as pkictl list prints it: at most 40 hexadecimal digits",
			"%q is not a serial number", text)
	}
	const cfssl = 24 // decimal digits, from which on a name is unlikely
	if !certain && len(digits) >= cfssl && len(digits) <= 52 && strings.Trim(digits, "0123456789") == "" {
		if n, valid := new(big.Int).SetString(digits, 10); valid {
			serials = append(serials, n)
		}
	}
	return serials, certain, nil
}

func cutPrefixFold(text, prefix string) (string, bool) {
	if len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix) {
		return text[len(prefix):], true
	}
	return text, false
}
