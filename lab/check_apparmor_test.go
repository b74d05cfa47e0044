package lab

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

func TestAppArmorCheck(t *testing.T) {
	t.Parallel()
	const table = "rx /bin/sh allowed\nw /etc/passwd denied # not\n"
	profile := func(flags, rules string) string { return "profile p " + flags + "{\n" + rules + "\n}\n" }
	for _, test := range []struct{ name, profile, found string }{
		{"right", profile("flags=(attach_disconnected) ", "/** rix,"), ""},
		{"more flags", profile("flags=(mediate_deleted attach_disconnected) ", "/** rix,\ndeny /** w,"), ""},
		{"Windows", strings.ReplaceAll(profile("flags=(attach_disconnected) ", "/** rix,"), "\n", "\r\n"), ""},
		{"no flag", profile("", "/** rix,"), "flags none"},
		{"flags line", profile("flags-(attach_disconnected) ", "/** rix,"), `line 1: flags is followed by =`},
		{"complain", profile("flags=(complain,attach_disconnected) ", "/** rix,"), "the flag complain"},
		{"writes", profile("flags=(attach_disconnected) ", "file,"), "they may: rule file"},
		{"nothing", profile("flags=(attach_disconnected) ", ""), "they may not: no rule allows it"},
		{"deny", profile("flags=(attach_disconnected) ", "/** rix,\ndeny /bin/** x,"), "they may not: rule deny /bin/** x denies it"},
		{"unconfined", profile("flags=(attach_disconnected) ", "/** rux,"), "they may run it as ux"},
		{"both", profile("flags=(attach_disconnected) ", "/** rix,\n/bin/* px,"), "they may run it as ix and px"},
		{"owner alone", profile("flags=(attach_disconnected) ", "owner /** rix,"), "no rule allows it whoever the file belongs to"},
		{"another name", "profile q {\n}\n", "profiles q"},
		{"YAML", "kind: Profile\n", "a profile begins with profile NAME {"},
		{"empty", "", "is empty"},
		{"comments", "# nothing\n", "it has no profile"},
		{"binary", "profile\x00", "it is no text"},
		{"nested", strings.Repeat("profile p {\n", 5000), "nested more than 8 deep"},
		{"braces", profile("", "/"+strings.Repeat("{a,", 50000)+"b"+strings.Repeat("}", 50000)+" r,"), "longer than 4096 bytes"},
		{"many", profile("", strings.Repeat("/* r,\n", 20000)), "more than 5000 paths"},
		{"variables", "@{A}=/1 /2 /3 /4 /5 /6 /7 /8 /9\n" + profile("", "@{A}@{A}@{A}@{A}@{A}@{A}@{A} r,"), "more than 64 paths"},
		{"circle", "@{A}=@{A}/\n" + profile("", "@{A} r,"), "without end"},
		{"unknown abstraction", profile("flags=(attach_disconnected) ", "#include <abstractions/nameservice>"), "is not known here and does not count"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := gradeHidden(t, "appArmor", "{file: a, profile: p, enforce: true, flags: attach_disconnected, access: table.txt}",
				strings.ReplaceAll(table, " # not", ""), map[string]string{"a": test.profile})
			if got.Passed != (test.found == "") || !strings.Contains(got.Found, test.found) || got.Wanted == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAppArmorCheckRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ with, table, err string }{
		{`{profile: p}`, "", `no field "file"`},
		{`{file: a}`, "", `no field "profile"`},
		{`{file: a, profile: p, enforce: false}`, "", "enforce is false"},
		{`{file: a, profile: p, access: table.txt}`, "", "is empty"},
		{`{file: a, profile: p, access: table.txt}`, "\nr a allowed", "line 2"},
		{`{file: a, profile: p, access: table.txt}`, "r /a yes", "line 1"},
		{`{file: a, profile: p, access: table.txt}`, "z /a allowed", "no access 'z'"},
	} {
		_, err := parse([]byte(labWith("appArmor", test.with)), fstest.MapFS{"hidden/table.txt": {Data: []byte(test.table)}}, "test", labFile)
		if err == nil || !strings.Contains(fmt.Sprint(err), test.err) {
			t.Errorf("%s %q: %v", test.with, test.table, err)
		}
	}
}
