// Package show has the strings that came from elsewhere shown safely: names in
// certificates, requests, kubeconfigs and clusters.
package show

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Text shows a string that came from elsewhere. What a terminal would act
// on, or the eye would misread, is escaped: control characters, invalid UTF-8,
// and format characters such as bidirectional marks.
func Text(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], string(r)):
			fmt.Fprintf(&b, `\x%02x`, s[i]) // a byte that is not UTF-8
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}
