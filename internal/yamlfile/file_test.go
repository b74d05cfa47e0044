package yamlfile

import (
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

func TestFile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, data string
		documents  int
		err, hint  string
	}{
		{"one", "a: b\n", 1, "", ""},
		{"two", "a: b\n---\n- c\n", 2, "", ""},
		{"one without contents", "---\n---\na: b\n", 2, "", ""},
		{"nothing", "", 0, `"x.yaml" is empty`, "the hint"},
		{"comments", "# a\n", 0, `"x.yaml" is empty`, "the hint"},
		{"tab", "a:\n\tb: c\n", 0, `"x.yaml" is not valid YAML: line`, "tabs"},
		{"tab at once", "\ta: b\n", 0, `"x.yaml" is not valid YAML`, "tabs"},
		{"unclosed", "a: [\n", 0, `"x.yaml" is not valid YAML`, "quotes"},
		{"alias", "a: &x b\nc: *x\n", 1, `"x.yaml", line 2, column 4: alias "*x" is not allowed`, "write the value out"},
		{"deepest", strings.Repeat("[", MaxDepth) + "a" + strings.Repeat("]", MaxDepth), 1, "", ""},
		{"too deep", strings.Repeat("[", MaxDepth+1) + "a" + strings.Repeat("]", MaxDepth+1), 1, "line 1, column 34: it is nested more than 32 levels deep", "the hint"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := File{Name: "x.yaml", Hint: "the hint"}
			roots, err := f.Documents([]byte(test.data))
			if len(roots) != test.documents {
				t.Errorf("%d documents, want %d", len(roots), test.documents)
			}
			if err == nil {
				err = f.Check(roots[0])
			}
			if test.err == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), test.err) || !strings.Contains(failure.HintOf(err), test.hint) {
				t.Errorf("%v\nhint: %s", err, failure.HintOf(err))
			}
		})
	}
}
