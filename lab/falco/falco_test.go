package falco

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

// stock are macros and a rule as Falco's own rules have them.
const stock = `
- required_engine_version: 0.50.0
- list: shell_binaries
  items: [ash, bash, csh, ksh, sh, tcsh, zsh, dash]
- macro: spawned_process
  condition: (evt.type in (execve, execveat) and evt.dir=<)
- macro: container
  condition: (container.id != host)
- macro: shell_procs
  condition: proc.name in (shell_binaries)
- macro: never_true
  condition: (evt.num=0)
- macro: container_entrypoint
  condition: (not proc.pname exists or proc.pname in (runc:[0:PARENT], runc:[1:CHILD], runc, docker-runc, exe, docker-runc-cur, containerd-shim, systemd, crio, conmon))
- macro: user_expected_terminal_shell_in_container_conditions
  condition: (never_true)
- rule: Terminal shell in container
  desc: A shell was used as the entrypoint or exec point into a container with an attached terminal.
  condition: >
    spawned_process
    and container
    and shell_procs
    and proc.tty != 0
    and container_entrypoint
    and not user_expected_terminal_shell_in_container_conditions
  output: A shell was spawned in a container (user=%user.name shell=%proc.name parent=%proc.pname terminal=%proc.tty %container.info)
  priority: NOTICE
  tags: [maturity_stable, container, shell]
`

func event(t *testing.T, fields string) Event {
	t.Helper()
	e, err := ReadEvent([]byte(fields))
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckEvent(e); err != nil {
		t.Fatal(err)
	}
	return e
}

func read(t *testing.T, files ...string) *Rules {
	t.Helper()
	r, err := tryRead(files...)
	if err != nil {
		t.Fatal(err, failure.HintOf(err))
	}
	return r
}

func tryRead(files ...string) (*Rules, error) {
	var list []File
	for i, data := range files {
		list = append(list, File{[]string{"falco_rules.yaml", "falco_rules.local.yaml", "rules.d/x.yaml"}[i], []byte(data)})
	}
	return Read(list...)
}

const shell = `{"evt.num": 7, "evt.type": "execve", "evt.dir": "<", "container.id": "3ad7b26ded6d", "proc.name": "bash", "proc.pname": "runc", "proc.tty": 34816}`

func TestStockRule(t *testing.T) {
	t.Parallel()
	rule := read(t, stock).Named("Terminal shell in container")
	base := event(t, shell)
	if !rule.Matches(base) {
		t.Error("it is silent of a shell in a container")
	}
	for name, change := range map[string]string{
		"on the host": `{"container.id": "host"}`, "without a terminal": `{"proc.tty": 0}`, "no shell": `{"proc.name": "nginx"}`,
		"another event": `{"evt.type": "openat"}`, "when it begins": `{"evt.dir": ">"}`, "a child": `{"proc.pname": "bash"}`,
		"name unknown": `{"proc.name": null}`, "container unknown": `{"container.id": null}`,
	} {
		e := event(t, shell)
		for field, value := range event(t, change) {
			e[field] = value
		}
		if rule.Matches(e) {
			t.Errorf("%s: it alerts", name)
		}
	}
	delete(base, "proc.pname")
	if !rule.Matches(base) {
		t.Error("a parent that is unknown is the entry point's")
	}
}

// TestConditions has the operators and fields as the documentation describes them.
func TestConditions(t *testing.T) {
	t.Parallel()
	e := event(t, `{"evt.type": "openat", "proc.name": "cat", "proc.pid": 12, "proc.tty": "0", "proc.cmdline": "cat /etc/Shadow -n", "fd.name": "/etc/ssh/sshd_config",
		"proc.aname": ["bash", "sshd"], "proc.aname[1]": "bash", "container.privileged": true, "fd.sip": "10.1.2.3", "fd.snet": "10.1.2.3", "user.name": "my user",
		"k8s.pod.label[app]": "web", "proc.exepath": "/usr/bin/cat", "proc.exe": "cat", "user.uid": 4294967295, "proc.cwd": "/a[b]/"}`)
	for condition, want := range map[string]bool{
		`proc.name = cat`: true, `proc.name=cat`: true, `proc.name==cat`: true, `proc.name != cat`: false, `proc.name = "cat"`: true, `proc.name = 'cat'`: true, `proc.name = Cat`: false,
		`proc.pid = 12`: true, `proc.pid = 0xC`: true, `proc.pid > 11`: true, `proc.pid >= 12`: true, `proc.pid < 12`: false, `proc.pid <= 12`: true, `proc.pid > 9`: true, `proc.pid in (1, 12)`: true,
		`proc.tty = 0`: true, `proc.tty != 0`: false, `user.uid = 4294967295`: true,
		`proc.name in (cat, dog)`: true, `proc.name in (dog)`: false, `proc.name in ()`: false, `proc.name in ("cat", 'dog')`: true, `not proc.name in (dog)`: true, `proc.name in cat`: true, `proc.name in(cat)`: true,
		`proc.cmdline contains shadow`: false, `proc.cmdline contains /etc/Sh`: true, `proc.cmdline icontains SHADOW`: true, `proc.cmdline startswith cat`: true, `proc.cmdline startswith "cat /"`: true,
		`proc.cmdline endswith -n`: true, `proc.cmdline endswith cat`: false, `proc.name glob c?t`: true, `fd.name glob /etc/*`: true, `fd.name glob '/etc/*_[a-d]onfig'`: true, `fd.name glob /etc/?`: false, `proc.name iglob C*`: true,
		`fd.name pmatch (/etc, /usr)`: true, `fd.name pmatch (/etc/s)`: false, `fd.name pmatch (/etc/ssh/)`: true, `fd.name pmatch (/etc/*/sshd_config)`: true, `fd.name pmatch (/etc/ssh/sshd_config/x)`: false,
		`fd.name regex '/etc/.*config'`: true, `fd.name regex 'etc'`: false,
		`proc.aname = sshd`: true, `proc.aname in (init, bash)`: true, `proc.aname intersects (sshd)`: true, `proc.aname[1] = bash`: true, `proc.aname[1]=sshd`: false, `proc.aname[9] = bash`: false,
		`k8s.pod.label[app] = web`: true, `container.privileged = true`: true, `container.privileged=false`: false,
		`fd.sip = 10.1.2.3`: true, `fd.sip in ("10.1.2.4", "10.1.2.3")`: true, `fd.snet in (10.0.0.0/8)`: true, `fd.snet = "192.168.0.0/16"`: false, `fd.snet != "192.168.0.0/16"`: true,
		`user.name = "my user"`: true, `proc.cwd = /a[b]/`: true,
		// Nothing is known of the container: no comparison holds, and none of its opposites.
		`container.id = host`: false, `container.id != host`: false, `not container.id = host`: true, `not container.id != host`: true, `container.id exists`: false, `not container.id exists`: true,
		`proc.name exists`: true, `proc.name exists and evt.type=openat`: true, `container.id in (host)`: false, `container.id contains o`: false,
		// and before or; not before both.
		`proc.name=dog and proc.name=dog or proc.name=cat`: true, `proc.name=cat or proc.name=dog and proc.name=dog`: true, `(proc.name=cat or proc.name=dog) and proc.name=dog`: false,
		`not proc.name=dog and proc.name=dog`: false, `not (proc.name=dog and proc.name=dog)`: true, `not(proc.name=cat)`: false, `not not proc.name=cat`: true, `proc.name=cat and(proc.pid=12)`: true,
		`proc.name=dog or(proc.pid=12)`: true, `( ( proc.name = cat ) )`: true, "proc.name = cat\n and\tproc.pid = 12": true, `not not(proc.name=dog)`: false,
		`tolower(proc.cmdline) contains shadow`: true, `toupper(proc.name) = CAT`: true, `basename(proc.exepath) = cat`: true, `proc.exe = val(proc.name)`: true, `proc.exe = basename(proc.exepath)`: true,
		`proc.exe = val(proc.exepath)`: false, `basename(tolower(proc.exepath)) = cat`: true, `proc.exe != val(container.id)`: false,
		`proc.cmdline contains "\"x"`: false, `evt.arg.flags exists`: false,
	} {
		rules := read(t, ruleWith(condition))
		if is := rules.Named("R").Matches(e); is != want {
			t.Errorf("%s is %v", condition, is)
		}
	}
}

func ruleWith(condition string) string {
	text, _ := json.Marshal(condition)
	return "- rule: R\n  desc: d\n  condition: " + string(text) + "\n  output: o %proc.name\n  priority: WARNING\n"
}

func TestFaults(t *testing.T) {
	t.Parallel()
	condition := func(text string) string { return ruleWith(text) }
	for _, test := range []struct{ name, rules, want, hint string }{
		{"the notes' operator", condition("container.io !- host and proc.name = bash"), `"falco_rules.yaml", line 1, column 1: rule R: its condition cannot be read: unexpected "!-" after container.io, where an operator such as =, !=, in or contains is expected`, ""},
		{"the notes' field", condition("container.io != host"), "there is no field container.io", "did you mean container.id?"},
		{"a comma for and", condition("proc.name exists, proc.tty != 0"), `unexpected "," after exists, where and, or, or the end`, ""},
		{"C's and", condition("proc.name=a && proc.tty=0"), `unexpected "&&"`, ""},
		{"no right side", condition("proc.name ="), "it ends where a value is expected", ""},
		{"no end", condition("(proc.name = a"), "it ends where and, or, or ) is expected", ""},
		{"two ends", condition("proc.name = a)"), `unexpected ")"`, ""},
		{"an open quote", condition(`proc.name = "a`), `unexpected "\"a"`, ""},
		{"two conditions", condition("proc.name = a proc.tty = 0"), `unexpected "proc.tty"`, ""},
		{"list without parentheses", "- list: l\n  items: [a, b]\n" + condition("proc.name in l"), `unexpected ","`, ""},
		{"list compared", "- list: l\n  items: [a, b]\n" + condition("proc.name = l"), `unexpected ","`, ""},
		{"unknown macro", "- macro: container\n  condition: container.id != host\n" + condition("containr and proc.tty = 0"), "there is no macro containr", "did you mean container?"},
		{"text for a number", condition("proc.tty = none"), `proc.tty cannot be compared: "none" is not a number`, ""},
		{"number operator without a number", condition("proc.name > bash"), `unexpected "bash"`, ""},
		{"operator of texts", condition("proc.pid contains 1"), "operator contains is not for proc.pid", ""},
		{"no boolean", condition("container.privileged = yes"), `"yes" is neither true nor false`, ""},
		{"no address", condition("fd.sip = 300.1.1.1"), "is no address", ""},
		{"needs an argument", condition("container.mount exists"), "needs an argument", "container.mount[1]"},
		{"takes none", condition("proc.name[1] = a"), "takes no argument", ""},
		{"empty", condition(""), "its condition is empty", ""},
		{"blank", condition("  "), "a field, a macro or ( is expected", ""},
		{"nested", condition(strings.Repeat("(", 500) + "proc.name=a" + strings.Repeat(")", 500)), "nested too deep", ""},
		{"unknown field in output", strings.Replace(condition("proc.name=a"), "%proc.name", "%user.nam", 1), "its output names %user.nam, which is no field", "user.name"},
		{"percent alone", strings.Replace(condition("proc.name=a"), "%proc.name", "100%", 1), "which is no field", ""},
		{"the notes' priority", strings.Replace(condition("proc.name=a"), "WARNING", "DBUG", 1), `there is no priority "DBUG"`, "DEBUG"},
		{"no priority", strings.Replace(condition("proc.name=a"), "priority", "prority", 1), "it has no priority", ""},
		{"no output", strings.Replace(condition("proc.name=a"), "output", "out", 1), "it has no output", ""},
		{"no list", "rule: R", "it is no list of lists, macros and rules", ""},
		{"not YAML", "- rule: [", "not valid YAML", ""},
		{"tabs", "- rule: R\n\tdesc: d", "not valid YAML", "tabs"},
		{"twice", "- rule: R\n  rule: S\n", `"rule" is given twice`, ""},
		{"an alias", "- list: a\n  items: &x [a]\n- list: b\n  items: *x\n", "alias", ""},
		{"macro after its use", "- macro: a\n  condition: b\n- macro: b\n  condition: proc.tty=0\n", "macro a: macro b is not defined before it", "define macro b before it"},
		{"macro of itself", "- macro: a\n  condition: proc.tty=0\n- macro: a\n  append: true\n  condition: or a\n", "macro a uses itself", ""},
		{"macro's name", "- macro: a-b\n  condition: proc.tty=0\n", "no name for a macro", ""},
		{"list's items", "- list: a\n  items: b\n", "its items is not a list", ""},
		{"append to no list", "- list: a\n  items: [b]\n  append: true\n", "there is no list a to append to", ""},
		{"append to no rule", "- rule: a\n  condition: and proc.tty=0\n  append: true\n", "there is no rule of that name", ""},
		{"switch of no rule", "- rule: a\n  enabled: false\n", "there is no rule of that name", ""},
		{"nothing", "- rule: a\n", "it has no condition", ""},
		{"override of what cannot be appended", stock + "- rule: Terminal shell in container\n  priority: ERROR\n  override: {priority: append}\n", "priority cannot be appended to", "use replace instead"},
		{"override of what is not there", stock + "- rule: Terminal shell in container\n  override: {priority: replace}\n", "there is no priority", ""},
		{"what override does not name", stock + "- rule: Terminal shell in container\n  priority: ERROR\n  output: x\n  override: {priority: replace}\n", "override does not say what to do with it", "add output to override"},
		{"override in other words", stock + "- rule: Terminal shell in container\n  priority: ERROR\n  override: {priority: set}\n", `override knows no "set"`, "append or replace"},
		{"override and append", stock + "- rule: Terminal shell in container\n  condition: and proc.tty=0\n  append: true\n  override: {condition: append}\n", "exclude each other", ""},
		{"appended without and", stock + "- rule: Terminal shell in container\n  condition: proc.tty=0\n  append: true\n", `unexpected "proc.tty=0"`, ""},
		{"too many", strings.Repeat("- list: a\n  items: [b]\n", 1001), "more than 1000", ""},
		{"lists of lists", bomb(), "longer than", ""},
	} {
		_, err := tryRead(test.rules)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(failure.HintOf(err), test.hint) {
			t.Errorf("%s: %v (%s)", test.name, err, failure.HintOf(err))
		}
	}
}

// bomb is small, and would be endless with its lists put in.
func bomb() string {
	items := strings.TrimSuffix(strings.Repeat("x, ", 1000), ", ")
	return "- list: a\n  items: [" + items + "]\n- macro: m\n  condition: proc.name in (" + strings.TrimSuffix(strings.Repeat("a,", 1000), ",") + ")\n"
}

func TestFilesInOrder(t *testing.T) {
	t.Parallel()
	const local = "- rule: Terminal shell in container\n"
	quiet := event(t, strings.Replace(shell, "bash", "fish", 1))
	for _, test := range []struct {
		name, local string
		want        func(r *Rule) bool
	}{
		{"comments alone", "# nothing yet\n", func(r *Rule) bool {
			return r.Priority.String() == "Notice" && r.Enabled && r.File == "falco_rules.yaml"
		}},
		{"empty", "", func(r *Rule) bool { return r.Priority.String() == "Notice" }},
		{"priority replaced", local + "  priority: critical\n  override:\n    priority: replace\n", func(r *Rule) bool {
			return r.Priority.String() == "Critical" && r.Matches(event(t, shell)) && r.File == "falco_rules.local.yaml"
		}},
		{"condition appended", local + "  condition: and proc.tty = 1\n  override: {condition: append}\n", func(r *Rule) bool { return !r.Matches(event(t, shell)) }},
		{"condition appended as before 0.36", local + "  condition: and proc.tty = 1\n  append: true\n", func(r *Rule) bool { return !r.Matches(event(t, shell)) }},
		{"output appended, tags replaced", local + "  output: pod=%k8s.pod.name\n  tags: [x]\n  override: {output: append, tags: replace}\n", func(r *Rule) bool {
			return strings.HasSuffix(r.Output, ") pod=%k8s.pod.name") && slices.Equal(r.Tags, []string{"x"})
		}},
		{"switched off", local + "  enabled: false\n", func(r *Rule) bool { return !r.Enabled }},
		{"switched off by override", local + "  enabled: false\n  override: {enabled: replace}\n", func(r *Rule) bool { return !r.Enabled }},
		{"written anew", local + "  desc: d\n  condition: container\n  output: o\n  priority: INFO\n", func(r *Rule) bool {
			return r.Matches(quiet) && r.Output == "o" && r.Priority.String() == "Informational"
		}},
		{"list appended", "- list: shell_binaries\n  items: [fish]\n  override: {items: append}\n", func(r *Rule) bool { return r.Matches(quiet) && r.Matches(event(t, shell)) }},
		{"list replaced", "- list: shell_binaries\n  items: [fish]\n", func(r *Rule) bool { return r.Matches(quiet) && !r.Matches(event(t, shell)) }},
		{"list in a list", "- list: more\n  items: [shell_binaries, fish]\n- macro: shell_procs\n  condition: proc.name in (more)\n", func(r *Rule) bool { return r.Matches(quiet) && r.Matches(event(t, shell)) }},
		{"macro replaced", "- macro: container\n  condition: container.id = host\n", func(r *Rule) bool { return !r.Matches(event(t, shell)) }},
		{"macro appended", "- macro: shell_procs\n  condition: or proc.name = fish\n  override: {condition: append}\n", func(r *Rule) bool { return r.Matches(quiet) }},
		{"macro after the rule", "- macro: container_entrypoint\n  condition: later\n- macro: user_expected_terminal_shell_in_container_conditions\n  condition: (proc.name = bash)\n", nil},
		{"an expected shell", "- macro: user_expected_terminal_shell_in_container_conditions\n  condition: (proc.name = bash)\n", func(r *Rule) bool { return !r.Matches(event(t, shell)) }},
		{"exceptions", local + "  exceptions:\n  - name: images\n    fields: [proc.name, proc.tty]\n    comps: [in, '=']\n    values:\n    - [[bash, sh], 34816]\n  override: {exceptions: append}\n", func(r *Rule) bool { return !r.Matches(event(t, shell)) }},
		{"exceptions of one field", local + "  exceptions:\n  - name: images\n    fields: proc.name\n    values: [zsh, bash]\n  override: {exceptions: append}\n", func(r *Rule) bool { return !r.Matches(event(t, shell)) }},
		{"several documents", "---\n- list: shell_binaries\n  items: [fish]\n---\n# none\n---\n" + local + "  enabled: false\n", func(r *Rule) bool { return !r.Enabled && r.Matches(quiet) }},
		{"unknown items", "- ruleset: x\n- ~\n", func(r *Rule) bool { return r.Enabled }},
	} {
		r, err := tryRead(stock, test.local)
		if test.want == nil {
			if err == nil {
				t.Errorf("%s: no error", test.name)
			}
			continue
		}
		if err != nil || !test.want(r.Named("Terminal shell in container")) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestRuleBeforeMacro: there is no order between rules and macros.
func TestRuleBeforeMacro(t *testing.T) {
	t.Parallel()
	r := read(t, ruleWith("mine and proc.name in (names)")+"- macro: mine\n  condition: proc.tty = 34816\n- list: names\n  items: [bash, my shell]\n")
	if !r.Named("R").Matches(event(t, shell)) {
		t.Error("silent")
	}
	if values, ok := r.List("names"); !ok || len(values) != 2 {
		t.Error(values)
	}
	if condition, ok := r.Macro("mine"); !ok || condition != "proc.tty = 34816" {
		t.Error(condition)
	}
	if got := r.Uses(r.Named("R")); !slices.Equal(got, []string{"mine", "names"}) {
		t.Error(got)
	}
	if holds, err := r.Holds("mine", event(t, shell)); !holds || err != nil {
		t.Error(err)
	}
	if _, err := r.Holds("other", event(t, shell)); err == nil {
		t.Error("no error")
	}
	if _, err := read(t, "- macro: a\n  condition: proc.nam exists\n").Holds("a", nil); err == nil {
		t.Error("no error")
	}
	if got := read(t, ruleWith("proc.name in (nanes, my_names)")).Suspects(&Rule{}); got != nil {
		t.Error(got)
	}
	listed := read(t, "- list: l\n  items: [a_b]\n"+ruleWith("proc.name in (l)"))
	if got := listed.Suspects(listed.Named("R")); got != nil {
		t.Error(got)
	}
	typo := read(t, ruleWith("proc.name in (nanes, my_names)"))
	if got := typo.Suspects(typo.Named("R")); !slices.Equal(got, []string{"my_names"}) {
		t.Error(got)
	}
	if got := read(t, stock); !slices.Contains(got.Uses(got.All()[0]), "shell_binaries") {
		t.Error(got.Uses(got.All()[0]))
	}
	if _, ok := r.Macro("other"); ok || r.Named("other") != nil || len(r.All()) != 1 {
		t.Error("what there is not is there")
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	r := read(t, strings.Replace(ruleWith("proc.name=a"), "o %proc.name", `"100%% (user=%user.name %container.info parent=%proc.aname[2].%proc.name, %tolower(proc.exe))"`, 1))
	rule := r.Named("R")
	if got := r.OutputFields(rule); !slices.Equal(got, []string{"user.name", "container.info", "proc.aname[2]", "proc.name", "proc.exe"}) {
		t.Error(got)
	}
}

// TestMacrosOfMacros: that each uses the one before twice does not take time twice.
func TestMacrosOfMacros(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("- macro: a\n  condition: proc.tty=1\n")
	name := "a"
	for range 100 {
		b.WriteString("- macro: " + name + "a\n  condition: " + name + " or " + name + "\n")
		name += "a"
	}
	if read(t, b.String()+ruleWith(name)).Named("R").Matches(event(t, shell)) {
		t.Error("it matches")
	}
}

func TestCheckEvent(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		`{"proc.nam": "a"}`: "no field", `{"proc.pid": "a"}`: "cannot have", `{"container.privileged": 1}`: "cannot have", `{"fd.sip": "x"}`: "cannot have", `{"proc.name": {}}`: "cannot have",
	} {
		e, err := ReadEvent([]byte(fields))
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckEvent(e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", fields, err)
		}
	}
}

func FuzzRules(f *testing.F) {
	f.Add(stock, "", shell)
	f.Add(stock, "- rule: Terminal shell in container\n  condition: and not proc.name glob 'a*[b-c]?'\n  append: true\n", shell)
	f.Add(ruleWith("basename(proc.name) in (a, 'b') or not(fd.name pmatch (/etc))"), "- macro: a\n  condition: proc.tty >= 0x1\n", `{"fd.name": ["/etc/a"]}`)
	f.Add(ruleWith("proc.aname[1] exists"), "- rule: R\n  exceptions: [{name: a, fields: [proc.name], values: [[a]]}]\n  override: {exceptions: append}\n", `{}`)
	f.Fuzz(func(t *testing.T, first, second, fields string) {
		rules, err := tryRead(first, second)
		if err != nil {
			if err.Error() == "" || rules != nil {
				t.Error("an error without words")
			}
			return
		}
		e, err := ReadEvent([]byte(fields))
		if err != nil {
			return
		}
		for _, rule := range rules.All() {
			rule.Matches(e)
			rules.OutputFields(rule)
		}
	})
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?[c-d]", "axxbyc")
	f.Add("[!a]\\*", "b*")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if !strings.ContainsAny(pattern, `*?[\`) && glob(pattern, name) != (pattern == name) {
			t.Errorf("%q %q", pattern, name)
		}
		if !glob("*", name) || !glob(name+"*", name) && !strings.ContainsAny(name, `[\`) {
			t.Errorf("%q", name)
		}
	})
}
