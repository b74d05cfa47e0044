package apparmor

import (
	"slices"
	"strings"
)

// declare sets the variables of Debian's tunables/global.
func (p *parser) declare() {
	standard := map[string][]string{
		"PROC": {"/proc/"}, "securityfs": {"/sys/kernel/security/"}, "sys": {"/sys/"}, "run": {"/run/", "/var/run/"}, "multiarch": {"*-linux-gnu*"},
		"HOMEDIRS": {"/home/"}, "HOME": {"@{HOMEDIRS}/*/", "/root/"}, "etc_ro": {"/etc/", "/usr/etc/"}, "etc_rw": {"/etc/"}, "uid": {"[0-9]*"},
		"uids": {"[0-9]*"}, "pid": {"[0-9]*"}, "pids": {"[0-9]*"}, "tid": {"[0-9]*"}, "flatpak_exports_root": {"{flatpak/exports,flatpak/{app,runtime}/*/*/*/*/export}"},
		"apparmorfs": {"/sys/kernel/security/apparmor/"}, "system_share_dirs": {"/{usr,usr/local,var/lib/@{flatpak_exports_root}}/share"},
		"user_share_dirs": {"@{HOME}/.local/share"},
	}
	for name, values := range standard {
		if _, ok := p.variables[name]; !ok {
			p.variables[name] = values
		}
	}
}

// abstractionBase is what matters to containers of Debian's abstractions/base, in short:
// what every program needs. Of the others below, which are known by name, no rule counts.
const abstractionBase = `
/dev/log w, /dev/random r, /dev/urandom r, /dev/null rw, /dev/zero rw, /dev/full rw,
/{usr/,}lib{,32,64}/** r, /{usr/,}lib{,32,64}/**.so* mr, /{usr/,}lib{,32,64}/@{multiarch}/** r, /{usr/,}lib/@{multiarch}/**.so* mr,
/etc/ld.so.cache mr, /etc/ld.so.conf r, /etc/ld.so.conf.d/{,*.conf} r, /etc/ld.so.preload r, /etc/localtime r, /etc/locale/** r, /etc/locale.alias r,
/usr/share/locale/** r, /usr/share/**/locale/** r, /usr/share/zoneinfo/ r, /usr/share/zoneinfo/** r, /usr/lib{,32,64}/locale/** mr,
@{PROC}/filesystems r, @{PROC}/meminfo r, @{PROC}/stat r, @{PROC}/cpuinfo r, @{PROC}/sys/kernel/version r, @{PROC}/sys/kernel/ngroups_max r,
@{PROC}/sys/vm/overcommit_memory r, @{PROC}/@{pid}/{maps,auxv,status} r, /sys/devices/system/cpu/ r, /sys/devices/system/cpu/online r,`

// rulesOf returns the rules of an include, empty where they are not known.
func rulesOf(name string) string {
	if name == "abstractions/base" {
		return abstractionBase
	}
	return ""
}

const otherAbstractions = " apache2-common apparmor_api aspell audio authentication bash consoles crypto cups-client dbus dbus-accessibility" +
	" dbus-accessibility-strict dbus-session dbus-session-strict dbus-strict dconf dovecot-common fonts freedesktop.org gnome gnupg gtk kerberosclient" +
	" ldapclient libpam-systemd mdns mesa mysql nameservice nis nss-systemd nvidia opencl openssl p11-kit perl php postfix-common private-files" +
	" private-files-strict python ruby samba ssl_certs ssl_keys ssh svn-repositories user-tmp wutmp X xdg-open "

// isInclude says whether Debian has that file.
func isInclude(name string) bool {
	short, ok := strings.CutPrefix(name, "abstractions/")
	return rulesOf(name) != "" || ok && short != "" && strings.Contains(otherAbstractions, " "+short+" ")
}

// included adds the rules of an abstraction.
func (p *parser) included(profile *Profile, name string) error {
	text := rulesOf(name)
	if text == "" {
		return nil
	}
	inner := &parser{scanner: scanner{text: text}, variables: map[string][]string{}, compiled: p.compiled}
	inner.declare()
	for {
		inner.skip()
		if inner.peek() == 0 {
			return nil
		}
		if err := inner.entry(profile); err != nil {
			return err
		}
	}
}

// Unjudged lists the includes whose rules are not known.
func (p *Profile) Unjudged() []string {
	return slices.DeleteFunc(slices.Clone(p.Includes), func(name string) bool { return rulesOf(name) != "" || name == "tunables/global" })
}
