package lab

import (
	"strings"
	"testing"
	"testing/fstest"
)

const testAnswers = `- {question: image, about: which image stays, answer: "shop/api:1.2"}
- {question: ids, about: what is critical, answer: [CVE-1, CVE-2], ignoreCase: true}
- {question: count, about: how many there are, answer: "10"}
`

func answersLab(with, table string) (*Lab, error) {
	return Read(fstest.MapFS{labFile: {Data: []byte(labWith("answers", with))}, "hidden/r.yaml": {Data: []byte(table)}}, "test", "test")
}

// TestAnswersMayHave: a name is the same with its directory and its ending.
func TestAnswersMayHave(t *testing.T) {
	t.Parallel()
	l, err := answersLab("{file: a, answers: r.yaml}", "- {question: files, about: which, answer: [ca, sa], mayBegin: pki/, mayEnd: .crt}\n")
	if err != nil {
		t.Fatal(err)
	}
	for text, right := range map[string]bool{
		"files: ca, sa": true, "files: [ca.crt, sa.crt]": true, "files: pki/ca.crt sa": true, "files: [pki/ca, pki/sa]": true,
		"files: ca": false, "files: [ca.key, sa]": false, "files: [etcd/ca, sa]": false, "files: [ca.crt.crt, sa]": false,
	} {
		w := workIn(t, map[string]string{"a": text})
		w.lab = l
		result, err := l.grade(t.Context(), w)
		if err != nil || result.Checks[0].Passed != right {
			t.Errorf("%s: %+v %v", text, result, err)
		}
	}
}

func TestAnswersCheck(t *testing.T) {
	t.Parallel()
	l, err := answersLab("{file: a, answers: r.yaml}", testAnswers)
	if err != nil {
		t.Fatal(err)
	}
	const others = "ids: [CVE-1, CVE-2]\ncount: 10\n"
	for _, test := range []struct{ name, text, found string }{
		{"right", "image: shop/api:1.2\n" + others, ""},
		{"quotes", "'image': \"shop/api:1.2\"\n\"ids\": ['CVE-1', \"CVE-2\"]\ncount: '10'\n", ""},
		{"another order, and twice", "image: shop/api:1.2\nids:\n- cve-2\n- CVE-1\n- CVE-2\ncount: 10\n", ""},
		{"in a line", "image: [shop/api:1.2]\nids: CVE-2,CVE-1\ncount: 10\n", ""},
		{"in a line with blanks", "image: shop/api:1.2 # that one\nids: CVE-2  CVE-1 ,\ncount: 10\n", ""},
		{"in a text of lines", "image: |\n  shop/api:1.2\nids: |\n  CVE-2\n  CVE-1\ncount: 10\n", ""},
		{"JSON", `{"image": "shop/api:1.2", "ids": ["CVE-1", "CVE-2"], "count": 10}`, ""},
		{"Windows line ends", strings.ReplaceAll("image: shop/api:1.2\n"+others, "\n", "\r\n"), ""},
		{"a byte order mark", "\ufeffimage: shop/api:1.2\n" + others, ""},
		{"more than is asked", "# mine\n---\nimage: shop/api:1.2\nnote: {a: [b]}\n" + others, ""},

		{"wrong", "image: shop/api:1.3\n" + others, "image is not right: shop/api:1.3"},
		{"other case", "image: Shop/api:1.2\n" + others, "image is not right"},
		{"one too few", "image: shop/api:1.2\nids: [CVE-1]\ncount: 10\n", "ids is not right: CVE-1"},
		{"one too many", "image: shop/api:1.2\nids: [CVE-1, CVE-2, CVE-3]\ncount: 10\n", "ids is not right: CVE-1, CVE-2, CVE-3"},
		{"two for one", "image: [shop/api:1.2, shop/api:1.3]\n" + others, "image has several answers"},
		{"two in a line for one", "image: shop/api:1.2 shop/api:1.3\n" + others, "image is not right"},
		{"a number like it", "image: shop/api:1.2\nids: [CVE-1, CVE-2]\ncount: 1e1\n", "count is not right: 1e1"},
		{"no answer", "image:\nids: []\ncount: ''\n", "image has no answer yet; ids has no answer yet; count has no answer yet"},
		{"null", "image: ~\n" + others, "image"},
		{"misspelt", "imgae: shop/api:1.2\n" + others, `there is no line "image:", but "imgae:"`},
		{"missing", others, `there is no line "image:"`},
		{"twice", "image: a\nimage: shop/api:1.2\n" + others, "line 2 of a answers image again"},
		{"nested", "image: {name: shop/api:1.2}\n" + others, "image is neither a value nor a list"},
		{"nested in a list", "image: shop/api:1.2\nids: [[CVE-1, CVE-2]]\ncount: 10\n", "ids is not a list of plain values"},
		{"a list", "- shop/api:1.2\n", "no lines such as"},
		{"prose", "The image that stays is shop/api\n", "no lines such as"},
		{"an equals sign", "image = shop/api\nids = CVE-1\n", "no lines such as"},
		{"half written", "image: [shop/api:1.2\n", "not valid YAML"},
		{"an alias", "image: &a shop/api:1.2\nids: [CVE-1, CVE-2]\ncount: *a\n", "alias"},
		{"two documents", "image: shop/api:1.2\n---\n" + others, "a second document"},
		{"binary", "\x00\x01\x02", "not valid YAML"},
		{"empty", "", "a is empty"},
		{"comments alone", "# image\n", "a"},
		{"deep", strings.Repeat("[", 10_000), ""},
		{"large", strings.Repeat("x", maxManifest+1), "larger than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := workIn(t, map[string]string{"a": test.text})
			w.lab = l
			result, err := l.grade(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			right := test.found == "" && test.name != "deep"
			if got := result.Checks[0]; got.Passed != right || !right && !strings.Contains(got.Found, test.found) {
				t.Errorf("passed %v, found %q, want %q", got.Passed, got.Found, test.found)
			}
		})
	}
}

// What is right is never told.
func TestAnswersStayHidden(t *testing.T) {
	t.Parallel()
	l, err := answersLab("{file: a, answers: r.yaml}", testAnswers)
	if err != nil {
		t.Fatal(err)
	}
	w := workIn(t, map[string]string{"a": "image: x\nids: [y]\ncount: z\n"})
	w.lab = l
	result, err := l.grade(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	said := result.Checks[0].Wanted + result.Checks[0].Found
	for _, right := range []string{"shop/api:1.2", "CVE-", "10"} {
		if strings.Contains(said, right) {
			t.Errorf("%q tells %q", said, right)
		}
	}
}

func TestAnswersRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, with, table, want string }{
		{"no table", "{file: a}", testAnswers, "asks for nothing"},
		{"no answer", "{file: a, answers: r.yaml}", "- {question: a, about: b}\n", "not complete"},
		{"no answers", "{file: a, answers: r.yaml}", "- {question: a, about: b, answer: []}\n", "not complete"},
		{"a number", "{file: a, answers: r.yaml}", "- {question: a, about: b, answer: 10}\n", "answer is not a text"},
	} {
		if _, err := answersLab(test.with, test.table); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add("image: a\nids: [b]\ncount: 1\n")
	f.Add("image: ~\nids: b, c\n")
	l, err := answersLab("{file: a, answers: r.yaml}", testAnswers)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w := workIn(t, map[string]string{"a": text})
		w.lab = l
		if _, err := l.grade(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	})
}
