package sshd

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// kind says how the values of a keyword are read.
type kind int

const (
	text    kind = iota // one or more words that are not looked into
	state               // one of several words
	number              // one number
	seconds             // one time, as 2m or 120
	words               // words that add up over lines
	ignored             // sshd says that it is out of date, and goes on
)

// keyword is one of sshd_config.
type keyword struct {
	name    string // as the manual writes it
	kind    kind
	states  []string
	normal  string // its default, as far as this package knows it
	inMatch bool
}

// keywordTable has a line for each: its name with a * where a Match block may have it,
// its kind or states, and its default. A state a>b is printed as b.
const keywordTable = `
PermitRootLogin* yes,no,without-password>prohibit-password,prohibit-password,forced-commands-only prohibit-password
PasswordAuthentication* yes,no yes
PubkeyAuthentication* yes,no yes
KbdInteractiveAuthentication* yes,no yes
HostbasedAuthentication* yes,no no
HostbasedUsesNameFromPacketOnly* yes,no no
KerberosAuthentication* yes,no no
KerberosOrLocalPasswd yes,no yes
KerberosTicketCleanup yes,no yes
GSSAPIAuthentication* yes,no no
GSSAPICleanupCredentials yes,no yes
GSSAPIStrictAcceptorCheck yes,no yes
GSSAPIKeyExchange yes,no no
GSSAPIStoreCredentialsOnRekey yes,no no
PermitEmptyPasswords* yes,no no
PermitTTY* yes,no yes
PermitUserRC* yes,no yes
X11Forwarding* yes,no no
X11UseLocalhost* yes,no yes
StrictModes yes,no yes
TCPKeepAlive yes,no yes
PrintMotd yes,no yes
PrintLastLog yes,no yes
UseDNS yes,no no
UsePAM yes,no no
IgnoreUserKnownHosts yes,no no
DisableForwarding* yes,no no
AllowAgentForwarding* yes,no yes
ExposeAuthInfo* yes,no no
StreamLocalBindUnlink* yes,no no
DebianBanner yes,no yes
IgnoreRhosts* yes,no,shosts-only yes
GatewayPorts* yes,no,clientspecified no
AllowTcpForwarding* yes,all>yes,no,remote,local yes
AllowStreamLocalForwarding* yes,all>yes,no,remote,local yes
Compression yes,delayed>yes,no yes
AddressFamily any,inet,inet6 any
PermitTunnel* yes,no,point-to-point,ethernet no
LogLevel* quiet>QUIET,fatal>FATAL,error>ERROR,info>INFO,verbose>VERBOSE,debug>DEBUG,debug1>DEBUG,debug2>DEBUG2,debug3>DEBUG3 INFO
SyslogFacility daemon>DAEMON,user>USER,auth>AUTH,authpriv>AUTHPRIV,local0>LOCAL0,local1>LOCAL1,local2>LOCAL2,local3>LOCAL3,local4>LOCAL4,local5>LOCAL5,local6>LOCAL6,local7>LOCAL7 AUTH
FingerprintHash md5>MD5,sha256>SHA256 SHA256
MaxAuthTries* number 6
MaxSessions* number 10
ClientAliveCountMax* number 3
X11DisplayOffset* number 10
LoginGraceTime seconds 120
ClientAliveInterval* seconds 0
AllowUsers* words
DenyUsers* words
AllowGroups* words
DenyGroups* words
Port text 22
ListenAddress text
HostKey text
HostCertificate text
HostKeyAgent text none
PidFile text /run/sshd.pid
ModuliFile text /etc/ssh/moduli
Protocol ignored
UsePrivilegeSeparation ignored
UseLogin ignored
KeyRegenerationInterval ignored
ServerKeyBits ignored
RSAAuthentication* ignored
RhostsRSAAuthentication* ignored
RhostsAuthentication ignored
AuthorizedKeysFile2* ignored
AuthorizedKeysFile* text .ssh/authorized_keys .ssh/authorized_keys2
AuthorizedPrincipalsFile* text none
AuthorizedKeysCommand* text none
AuthorizedKeysCommandUser* text none
AuthorizedPrincipalsCommand* text none
AuthorizedPrincipalsCommandUser* text none
AuthenticationMethods* text any
PubkeyAuthOptions* text none
PubkeyAcceptedAlgorithms* text
HostbasedAcceptedAlgorithms* text
HostKeyAlgorithms text
CASignatureAlgorithms* text
KexAlgorithms text
Ciphers text
MACs text
GSSAPIKexAlgorithms text
Banner* text none
VersionAddendum text none
ForceCommand* text none
ChrootDirectory* text none
TrustedUserCAKeys* text none
RevokedKeys* text none
SecurityKeyProvider text internal
XAuthLocation text /usr/bin/xauth
PermitUserEnvironment text no
PermitOpen* text any
PermitListen* text any
AcceptEnv* text
SetEnv* text
Subsystem text
IPQoS* text lowdelay throughput
RekeyLimit* text 0 0
StreamLocalBindMask* text 0177
MaxStartups text 10:30:100
PerSourceMaxStartups text none
PerSourceNetBlockSize text 32:128
RDomain* text
LogVerbose* text
RequiredRSASize* text 1024
ChannelTimeout* text
UnusedConnectionTimeout* text none
Include* text
Match* text
`

// keywords reads the table.
func keywords() map[string]keyword {
	kinds := map[string]kind{"text": text, "number": number, "seconds": seconds, "words": words, "ignored": ignored}
	all := map[string]keyword{}
	for line := range strings.SplitSeq(strings.TrimSpace(keywordTable), "\n") {
		name, rest, _ := strings.Cut(line, " ")
		how, normal, _ := strings.Cut(rest, " ")
		k := keyword{normal: normal}
		k.name, k.inMatch = strings.CutSuffix(name, "*")
		var plain bool
		if k.kind, plain = kinds[how]; !plain {
			k.kind, k.states = state, strings.Split(how, ",")
		}
		all[strings.ToLower(k.name)] = k
	}
	return all
}

// read reads the values of a keyword.
func (k keyword) read(word string, arguments []string) ([]string, error) {
	if len(arguments) == 0 || arguments[0] == "" && k.kind != text {
		return nil, failure.New(failure.Usage, "", "%s has no value", word)
	}
	if k.kind != text && k.kind != words && len(arguments) > 1 {
		return nil, failure.New(failure.Usage, "", "%s has more than one value: %s", word, strings.Join(arguments, " "))
	}
	bad := failure.New(failure.Usage, "", "%s cannot be %s", word, arguments[0])
	switch k.kind {
	case state:
		value, ok := k.stateOf(arguments[0])
		if !ok {
			return nil, failure.New(failure.Usage, "", "%s is %s, but can be %s only", word, arguments[0], k.known())
		}
		return []string{value}, nil
	case number:
		n, err := strconv.Atoi(arguments[0])
		if err != nil {
			return nil, bad
		}
		return []string{strconv.Itoa(n)}, nil
	case seconds:
		n, ok := parseSeconds(arguments[0])
		if !ok {
			return nil, bad
		}
		return []string{strconv.FormatInt(n, 10)}, nil
	case words:
		if slices.Contains(arguments, "") {
			return nil, bad
		}
	}
	return arguments, nil
}

func (k keyword) stateOf(value string) (string, bool) {
	for _, s := range k.states {
		from, to, changes := strings.Cut(s, ">")
		if !strings.EqualFold(from, value) {
			continue
		}
		if changes {
			return to, true
		}
		return from, true
	}
	return "", false
}

// known lists the states.
func (k keyword) known() string {
	var names []string
	for _, s := range k.states {
		name, _, _ := strings.Cut(s, ">")
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// parseSeconds reads a time as convtime does: 90, 1m30s, 2H.
func parseSeconds(text string) (total int64, ok bool) {
	for text != "" {
		i := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
		digits, unit := text, "s"
		if i >= 0 {
			digits, unit, text = text[:i], strings.ToLower(text[i:i+1]), text[i+1:]
		} else {
			text = ""
		}
		n, err := strconv.ParseInt(digits, 10, 32)
		factor, known := map[string]int64{"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[unit]
		if err != nil || !known {
			return 0, false
		}
		if total += n * factor; total > 1<<31-1 {
			return 0, false
		}
		ok = true
	}
	return total, ok
}

// Normal returns a value as Value has it: yes for Yes, 120 for 2m. It says whether
// sshd takes it for the keyword.
func Normal(word, value string) (string, bool) {
	k, ok := keywords()[canonical(word)]
	if !ok || k.kind == ignored {
		return "", false
	}
	values, err := k.read(word, strings.Fields(value))
	return strings.Join(values, " "), err == nil
}

// Keyword returns a keyword as the manual writes it, or says that there is none.
func Keyword(word string) (string, bool) {
	k, ok := keywords()[canonical(word)]
	return k.name, ok && k.kind != ignored
}
