package ca_test

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// readBatch reads all lines of a file, as one text for each: number, common
// name and groups, or the error.
func readBatch(text, name string) ([]string, error) {
	reader, err := ca.NewBatchReader(strings.NewReader(text), name)
	if err != nil {
		return nil, err
	}
	var lines []string
	for {
		line, err := reader.Next(ca.IssueOptions{Dir: "pki"})
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		if line.Err != nil {
			lines = append(lines, fmt.Sprintf("%d! %v", line.Number, line.Err))
			continue
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%d %s %s", line.Number, line.Options.CommonName, strings.Join(line.Options.Groups, "+"))))
	}
}

func TestBatchReader(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"plain", "cn,group\njane,dev;ops\njoe,\n", "2 jane dev+ops|3 joe"},
		{"byte order mark, CRLF, no last line end", "\ufeffCN , Groups\r\njane,dev\r\njoe,ops", "2 jane dev|3 joe ops"},
		{"quotes", "cn,group\n\"jane\",\"dev; ops\"\n\"a \"\"b\"\"\",\n", `2 jane dev+ops|3 a "b"`},
		{"empty lines and comments", "# users\n\ncn\n\n# one\njane\n   \njoe\n", "6 jane|8 joe"},
		{"a quote that is never closed", "cn,group\n\"jane,dev\njoe,ops\n", `2! it is not CSV: extraneous or missing " in quoted-field|3 joe ops`},
		{"too many and too few columns", "cn,group\njane,dev,ops\njoe\njim,\n", "2! it has 3 columns, and the first line 2|3! it has 1 columns, and the first line 2|4 jim"},
		{"formulas", "cn,group\n=1+1,dev\njane,@SUM(A1)\n+x,\n-x,\njoe,a@b\n",
			`2! cn "=1+1" is a formula to spreadsheet programs|3! group "@SUM(A1)" is a formula to spreadsheet programs|` +
				`4! cn "+x" is a formula to spreadsheet programs|5! cn "-x" is a formula to spreadsheet programs|6 joe a@b`},
		{"paths that lead away", "cn,out\na,../x\nb,/tmp/x\nc,x/y\n", `2! out "../x" leads elsewhere|3! out "/tmp/x" leads elsewhere|4 c`},
		{"paths that name no file of a certificate", "cn,out\na,.staging/new/7\nb,.\nc,x/..\nd,x/.y\ne,x/\nf,./x/../y\n",
			`2! out ".staging/new/7" has a name that begins with a dot|3! out "." names no file|4! out "x/.." names no file|` +
				`5! out "x/.y" has a name that begins with a dot|6! out "x/" names no file|7 f`},
		{"paths that cannot be printed", "- {cn: a, out: \"x\\ny\"}\n- {cn: b, out: \"x\\u202Ey\"}\n- {cn: c, out: \"x\\u00A0y\"}\n- {cn: d, out: a b}\n",
			`1! out "x\ny" has characters that cannot be printed|2! out "x\u202ey" has characters that cannot be printed|` +
				`3! out "x\u00a0y" has characters that cannot be printed|4 d`},
		{"header alone", "cn,group\n", ""},
		{"YAML", "- cn: jane\n  group: [dev, ops]\n- cn: joe\n  groups: ops\n", "1 jane dev+ops|3 joe ops"},
		{"JSON", `[{"cn":"jane","group":["dev"]},{"cn":"joe"}]`, "1 jane dev|1 joe"},
		{"a list that says what it is", "apiVersion: pkictl.dev/v1\nkind: CertificateRequestList\nitems:\n- {cn: jane}\n", "4 jane"},
		{"numbers are texts", "- {cn: 0123}\n- {cn: yes}\n- {cn: 1e3}\n", "1 0123|2 yes|3 1e3"},
		{"nothing, and things for texts", "- {cn: null}\n- {cn: ~}\n- {cn: }\n- {cn: {a: b}}\n- {cn: [a, b]}\n- {group: [[a]]}\n- text\n- null\n",
			"1! cn in line 1 is not a text|2! cn in line 2 is not a text|3! cn in line 3 is not a text|4! cn in line 4 is not a text|" +
				"5! cn in line 5 is not one value|6! group in line 6 is not a text|7! it is not an object|8! it is not an object"},
		{"unknown and second keys", "- cn: a\n  role: b\n- cn: a\n  group: x\n  groups: y\n", `1! unknown key "role" in line 2|3! key "group" stands twice, again in line 5`},
		{"aliases", "- &a {cn: jane, group: [&g dev]}\n- *a\n- {cn: joe, group: *g}\n- {<<: *a}\n",
			`1 jane dev|2! it is not an object|3! group in line 3 is not a text|4! unknown key "<<" in line 4`},
	} {
		lines, err := readBatch(test.text, "users")
		if got := strings.Join(lines, "|"); err != nil || got != test.want {
			t.Errorf("%s: %v\n got %s\nwant %s", test.name, err, got, test.want)
		}
	}
}

// TestBatchReaderRefuses: files that are refused as a whole, with the line.
func TestBatchReaderRefuses(t *testing.T) {
	t.Parallel()
	var columns []string
	for i := range 10_000 {
		columns = append(columns, fmt.Sprint("c", i))
	}
	const bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nitems: [*c,*c,*c]\n"
	for _, test := range []struct{ name, file, text, says string }{
		{"empty", "x", "", "is empty"},
		{"a byte order mark alone", "x", "\ufeff", "is empty"},
		{"comments alone", "x", "# a\n\n", "is empty"},
		{"10,000 columns", "x", strings.Join(columns, ",") + "\n", `unknown column "c0"`},
		{"10,000 times the same column", "x", strings.Repeat("cn,", 10_000) + "\n", `names the column "cn" twice`},
		{"one column under two names", "x", "cn,group,groups\n", `names the column "group" twice`},
		{"no column cn", "x", "group\ndev\n", "names no column cn"},
		{"semicolons", "x", "cn;group\njane;dev\n", `unknown column "cn;group"`},
		{"a quote in the header", "x", "cn,\"group\njane,dev\n", "cannot read line 1"},
		{"NUL", "x", "cn\x00\n", `unknown column "cn\x00"`},
		{"UTF-16", "x", "\xff\xfec\x00n\x00\n\x00", "unknown column"},
		{"a line without an end", "x", "cn\njane\n" + strings.Repeat("x", 1<<17), "line 3 of \"x\" is longer than 65536 bytes"},
		{"no end at all", "x", strings.Repeat("\x00", 1<<17), "line 1 of \"x\" is longer than 65536 bytes"},
		{"another kind", "x", "kind: Pod\napiVersion: v1\n", `of kind "Pod"`},
		{"another version", "x", "apiVersion: v1\nkind: CertificateRequestList\nitems: []\n", `of apiVersion "v1"`},
		{"no items", "x", "kind: CertificateRequestList\n", "has no items"},
		{"unknown key", "x", "kind: CertificateRequestList\nitem: []\n", `key "item" in line 2`},
		{"second items", "x", "items: []\nitems: []\n", `key "items" in line 2`},
		{"items that are none", "x", "items: {}\n", "is not a list"},
		{"two documents", "x", "- {cn: a}\n---\n- {cn: b}\n", "a second document begins"},
		{"deep nesting", "x", strings.Repeat("[", 100_000), "max depth"},
		{"many values", "x", "[" + strings.Repeat("a,", 300_000) + "]", "more than some 200000 values"},
		{"large", "x", "- {cn: " + strings.Repeat("x", 5<<20) + "}", "larger than 4 MiB"},
		{"alias bomb", "users.yaml", bomb, `unknown or second key "a" in line 1`},
		{"a text", "users.json", `"cn"`, "is not a list"},
	} {
		lines, err := readBatch(test.text, test.file)
		if err == nil || !strings.Contains(err.Error(), test.says) || failure.HintOf(err) == "" || len(err.Error()) > 400 {
			t.Errorf("%s: %v (%q), %.100q, want %q", test.name, err, failure.HintOf(err), lines, test.says)
		}
	}
}

func fuzzBatch(f *testing.F, name string) {
	f.Fuzz(func(t *testing.T, data []byte) {
		reader, err := ca.NewBatchReader(strings.NewReader(string(data)), name)
		if err != nil {
			if failure.HintOf(err) == "" {
				t.Fatalf("%v has no hint", err)
			}
			return
		}
		last, lines := 0, 0
		for {
			line, err := reader.Next(ca.IssueOptions{Dir: "pki"})
			if err != nil {
				return
			}
			if lines++; lines > len(data) || line.Number < last || line.Number < 1 {
				t.Fatalf("line %d after %d, %d in all", line.Number, last, lines)
			}
			last = line.Number
			if line.Err != nil {
				if failure.HintOf(line.Err) == "" || failure.KindOf(line.Err) != failure.Usage {
					t.Fatalf("%v has no hint", line.Err)
				}
				continue
			}
			req, err := line.Options.Request()
			if err == nil && (req.CommonName == "" || req.Profile.Name() == "") {
				t.Fatalf("%+v", req)
			}
			if err != nil {
				continue
			}
			below, err := filepath.Rel("pki", line.Options.Prefix())
			if err != nil || !filepath.IsLocal(below) || strings.HasPrefix(below, ".") || strings.Contains(below, "/.") ||
				strings.ContainsFunc(below, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("it would write %q", line.Options.Prefix())
			}
		}
	})
}

// FuzzBatchCSV: any bytes are lines with numbers, or errors with hints, and
// never name a file elsewhere.
func FuzzBatchCSV(f *testing.F) {
	f.Add([]byte("cn,group,out\njane,dev;ops,a/b\n\"joe\n"))
	f.Add([]byte("\ufeffcn,profile,dns,ip,uri,email,key,validity\r\na,server,a.b;c,::1,urn:a,a@b,rsa-2048,1h\r\n"))
	f.Add([]byte("cn\n..\n/\n.\n-\n"))
	f.Add([]byte("cn,out\na,.staging/new/7\nb,.\nc,x/..\n"))
	fuzzBatch(f, "users.csv")
}

// FuzzBatchYAML is FuzzBatchCSV for lists of objects.
func FuzzBatchYAML(f *testing.F) {
	f.Add([]byte("- {cn: jane, group: [dev], out: a/b}\n- &a {cn: .}\n- *a\n"))
	f.Add([]byte("apiVersion: pkictl.dev/v1\nkind: CertificateRequestList\nitems:\n- cn: /\n  dns: [a.b]\n"))
	f.Add([]byte("- {cn: jane, out: \"a\\nb\"}\n- {cn: joe, out: x/../.lock}\n"))
	f.Add([]byte("---\n...\n"))
	f.Add([]byte("--- # nothing"))
	fuzzBatch(f, "users.yaml")
}
