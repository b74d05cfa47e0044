package show

import "testing"

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"jane":                "jane",
		"Jörg Müller 日本":      "Jörg Müller 日本",
		"a\nb\tc":             `a\nb\tc`,
		"\x1b[31mred\x1b[0m":  `\x1b[31mred\x1b[0m`,
		"\u202eevil":          `\u202eevil`,
		"\u200bzero\ufeff":    `\u200bzero\ufeff`,
		"\xff\xfe":            `\xff\xfe`,
		"\ufffd":              "\ufffd",
		"\x9b31m\u009b31m":    `\x9b31m\u009b31m`,
		"":                    "",
		"tag\U000e0041":       `tag\U000e0041`,
		"no\u00a0break space": `no\u00a0break space`,
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
