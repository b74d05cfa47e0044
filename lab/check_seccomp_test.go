package lab

import (
	"strings"
	"testing"
	"testing/fstest"
)

// gradeHidden is gradeText with a file below hidden.
func gradeHidden(t *testing.T, kind, with, table string, files map[string]string) CheckResult {
	t.Helper()
	lab, err := parse([]byte(labWith(kind, with)), fstest.MapFS{"hidden/table.txt": {Data: []byte(table)}}, "test", labFile)
	if err != nil {
		t.Fatal(err)
	}
	return gradeIn(t, lab, files)[0]
}

func TestSeccompCheck(t *testing.T) {
	t.Parallel()
	const allow = `{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"], "syscalls": [{"names": ["read", "clone"], "action": "SCMP_ACT_ALLOW"}]}`
	for _, test := range []struct{ name, table, profile, found string }{
		{"right", "# calls\n\nx86_64 read,clone runs\nx86_64 * errno\nx86 read allow", allow, ""},
		{"kinds of ends", "x86_64 read refused", allow, "SCMP_ACT_ALLOW"},
		{"not logged", "x86_64 read log", allow, "SCMP_ACT_ALLOW"},
		{"killed is refused", "x32 read refused", allow, ""},
		{"killed is no error", "x32 read errno", allow, "SCMP_ACT_KILL_THREAD (x32 is none of its architectures)"},
		{"errno", "x86_64 open errno=1", allow, ""},
		{"other errno", "x86_64 open errno=38", allow, "SCMP_ACT_ERRNO (errno 1, defaultAction)"},
		{"errno 0 pretends that the call was made", "x86_64 open refused", strings.Replace(allow, "{", `{"defaultErrnoRet": 0, `, 1), "errno 0"},
		{"any argument", "x86_64 clone runs", strings.Replace(allow, `"SCMP_ACT_ALLOW"`, `"SCMP_ACT_ALLOW", "args": [{"index": 0, "op": "SCMP_CMP_EQ"}]`, 1), "SCMP_ACT_ERRNO"},
		{"some arguments", "x86_64 clone errno", strings.Replace(allow, `"SCMP_ACT_ALLOW"`, `"SCMP_ACT_ALLOW", "args": [{"index": 0, "op": "SCMP_CMP_EQ"}]`, 1), "SCMP_ACT_ALLOW (with some arguments)"},
		{"this argument", "x86_64 clone(0) runs\nx86_64 clone(1) errno", strings.Replace(allow, `"SCMP_ACT_ALLOW"`, `"SCMP_ACT_ALLOW", "args": [{"index": 0, "op": "SCMP_CMP_EQ"}]`, 1), ""},
		{"many", "x86_64 read any\nx86_64 * runs", allow, "SCMP_ACT_ERRNO"},
		{"misspelt call", "x86_64 openat runs", strings.Replace(allow, "read", "openatt", 1), "; no system call is called openatt"},
		{"misspelt field", "x86_64 read runs", strings.Replace(allow, "syscalls", "sycalls", 1), "; no runtime reads the field sycalls"},
		{"containerd reads no name", "x86_64 read runs", `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"name": "read", "action": "SCMP_ACT_ALLOW"}]}`, ", as containerd reads the profile; containerd does not read the field syscalls[0].name (but names)"},
		{"Docker reads includes", "x86_64 read runs", strings.Replace(allow, `"SCMP_ACT_ALLOW"`, `"SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}`, 1), ", as CRI-O or Docker reads the profile"},
		{"contradiction", "x86_64 read(0) runs", `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
			{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "op": "SCMP_CMP_EQ"}]}, {"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "op": "SCMP_CMP_EQ"}]}]}`, "several rules for it"},
		{"other byte order", "x86_64 read runs", strings.Replace(allow, "_X86", "_S390X", 1), "does not start"},
		{"a number in quotes", "x86_64 read runs", strings.Replace(allow, `"SCMP_ACT_ALLOW"`, `"SCMP_ACT_ALLOW", "args": [{"index": 0, "value": "0x1", "op": "SCMP_CMP_EQ"}]`, 1), "syscalls.args.value cannot be a JSON string: write a whole number, decimal and without quotes"},
		{"no JSON", "x86_64 read runs", "defaultAction: SCMP_ACT_LOG", "it is no profile in JSON: line 1"},
		{"none", "x86_64 read runs", "{}", "loads no filter at all"},
		{"empty", "x86_64 read runs", "", "is empty"},
		{"deep", "x86_64 read runs", strings.Repeat("[", 200<<10), "it is no profile in JSON"},
		{"huge", "x86_64 read runs", strings.Repeat(" ", 300<<10), "larger than 256 KiB"},
		{"template", "x86_64 read runs", "{{ .Values.profile }}", "it is no profile in JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := gradeHidden(t, "seccomp", "{file: p.json, calls: table.txt}", test.table, map[string]string{"p.json": test.profile})
			if got.Passed != (test.found == "") || !strings.Contains(got.Found, test.found) || got.Wanted == "" {
				t.Errorf("%+v", got)
			}
		})
	}
	for with, found := range map[string]string{"known: true": "", "rules: true": "", "node: aarch64, rules: true": ""} {
		if got := gradeText(t, "seccomp", "{file: p.json, "+with+"}", map[string]string{"p.json": allow}); got.Passed != (found == "") {
			t.Errorf("%s: %+v", with, got)
		}
	}
	if got := gradeText(t, "seccomp", "{file: p.json, rules: true}", map[string]string{"p.json": `{"defaultAction": "SCMP_ACT_LOG"}`}); got.Passed {
		t.Errorf("%+v", got)
	}
}

func TestSeccompCheckRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ with, table, err string }{
		{`{file: a}`, "", "asks for nothing"},
		{`{known: true}`, "", `no field "file"`},
		{`{file: a, known: false}`, "", "known is false"},
		{`{file: a, node: amd64}`, "", `no architecture "amd64"`},
		{`{file: a, calls: table.txt}`, "# none\n", "has no calls"},
		{`{file: a, calls: table.txt}`, "x86_64 read", "2 words instead of 3"},
		{`{file: a, calls: table.txt}`, "amd64 read runs", `no architecture "amd64"`},
		{`{file: a, calls: table.txt}`, "x86_64 read fails", `no call ends in "fails"`},
		{`{file: a, calls: table.txt}`, "x86_64 read errno=x", `no call ends in "errno=x"`},
		{`{file: a, calls: table.txt}`, "\naarch64 open runs", `line 2 of the table of lab "test": aarch64 has no system call "open"`},
		{`{file: a, calls: table.txt}`, "x86_64 clone(x) runs", `"x" is no argument`},
		{`{file: a, calls: table.txt}`, "x86_64 clone(1 runs", "in parentheses"},
		{`{file: a, calls: none.txt}`, "", "none.txt"},
	} {
		_, err := parse([]byte(labWith("seccomp", test.with)), fstest.MapFS{"hidden/table.txt": {Data: []byte(test.table)}}, "test", labFile)
		if err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s %q: %v", test.with, test.table, err)
		}
	}
}
