package falco

import (
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// kind is the type of a field, as far as comparisons go.
type kind int

const (
	text    kind = iota // CHARBUF, FSPATH
	number              // all numbers
	boolean             // BOOL
	address             // IPADDR
	network             // IPNET
)

type field struct {
	kind     kind
	argument byte // 0 none, '?' may have one, '!' must have one
}

// fieldTable has the fields of the source syscall, by
// falco.org/docs/reference/rules/supported-fields: a line for each type, a field that
// may have an argument with ?, one that must have one with !.
const fieldTable = `
number evt.num evt.rawtime evt.rawtime.s evt.rawtime.ns evt.reltime evt.reltime.s evt.reltime.ns evt.latency evt.latency.s evt.latency.ns
text evt.time evt.time.s evt.time.iso8601 evt.datetime evt.datetime.s evt.type evt.dir evt.category evt.args evt.res evt.info evt.source evt.hostname evt.abspath?
text evt.plugininfo evt.pluginname evt.asynctype evt.arg!
number evt.cpu evt.rawres evt.buflen evt.count evt.deltatime evt.count.error evt.type.is!
text evt.buffer
boolean evt.is_io evt.is_io_read evt.is_io_write evt.is_wait evt.is_syslog evt.failed evt.is_async evt.is_open_read evt.is_open_write evt.is_open_exec evt.is_open_create
text proc.exe proc.pexe proc.aexe? proc.exepath proc.pexepath proc.aexepath? proc.name proc.pname proc.aname? proc.args proc.cmdline proc.pcmdline proc.acmdline? proc.exeline proc.env? proc.aenv? proc.cwd
number proc.cmdnargs proc.cmdlenargs proc.loginshellid proc.tty proc.pid proc.ppid proc.apid? proc.vpid proc.pvpid proc.sid proc.vpgid proc.pgid
text proc.sname proc.sid.exe proc.sid.exepath proc.vpgid.name proc.vpgid.exe proc.vpgid.exepath proc.pgid.name proc.pgid.exe proc.pgid.exepath
number proc.duration proc.ppid.duration proc.pid.ts proc.ppid.ts proc.exe_ino proc.exe_ino.ctime proc.exe_ino.mtime proc.exe_ino.ctime_duration_proc_start proc.exe_ino.ctime_duration_pidns_start proc.pidns_init_start_ts
boolean proc.is_exe_writable proc.is_exe_upper_layer proc.is_exe_lower_layer proc.is_exe_from_memfd proc.is_sid_leader proc.is_vpgid_leader proc.is_pgid_leader proc.is_container_healthcheck proc.is_container_liveness_probe proc.is_container_readiness_probe
text thread.cap_permitted thread.cap_inheritable thread.cap_effective thread.cgroup! thread.cgroups thread.vtid.name thread.name
number proc.fdopencount proc.fdlimit proc.fdusage proc.vmsize proc.vmrss proc.vmswap thread.pfmajor thread.pfminor thread.tid thread.vtid thread.exectime thread.totexectime thread.cpu thread.nametid
boolean thread.ismain
number user.uid user.loginuid group.gid
text user.name user.homedir user.shell user.loginname group.name
text container.id container.full_id container.name container.image container.image.id container.type container.mounts container.mount! container.mount.source! container.mount.dest! container.mount.mode! container.mount.rdwr! container.mount.propagation!
text container.image.repository container.image.tag container.image.digest container.healthcheck container.liveness_probe container.readiness_probe container.ip container.cni.json container.label! container.labels
boolean container.privileged container.host_pid container.host_network container.host_ipc
number container.start_ts container.duration
text k8s.ns.name k8s.pod.name k8s.pod.id k8s.pod.uid k8s.pod.sandbox_id k8s.pod.full_sandbox_id k8s.pod.label! k8s.pod.labels k8s.pod.ip k8s.pod.cni.json k8s.rc.name k8s.svc.name k8s.rs.name k8s.deployment.name
number fd.num fd.ino fd.dev fd.dev.major fd.dev.minor fd.port fd.cport fd.sport fd.lport fd.rport fd.proto.num
text fd.type fd.typechar fd.name fd.directory fd.filename fd.containername fd.containerdirectory fd.l4proto fd.sockfamily fd.uid fd.proto fd.cproto fd.sproto fd.lproto fd.rproto fd.cip.name fd.sip.name fd.lip.name fd.rip.name fd.nameraw fd.types fd.name.changed
address fd.ip fd.cip fd.sip fd.lip fd.rip
network fd.net fd.cnet fd.snet fd.lnet fd.rnet
boolean fd.is_server fd.connected fd.is_upper_layer fd.is_lower_layer
text fs.path.name fs.path.nameraw fs.path.source fs.path.sourceraw fs.path.target fs.path.targetraw
`

// knownFields reads the table.
func knownFields() map[string]field {
	kinds := map[string]kind{"text": text, "number": number, "boolean": boolean, "address": address, "network": network}
	fields := map[string]field{}
	for _, line := range strings.Split(strings.TrimSpace(fieldTable), "\n") {
		words := strings.Fields(line)
		for _, name := range words[1:] {
			f := field{kind: kinds[words[0]]}
			if last := name[len(name)-1]; last == '?' || last == '!' {
				f.argument, name = last, name[:len(name)-1]
			}
			fields[name] = f
		}
	}
	return fields
}

// lookUp finds a field. evt.arg.NAME and evt.rawarg.NAME are those of an argument of
// the event.
func lookUp(fields map[string]field, name string) (field, bool) {
	if f, ok := fields[name]; ok {
		return f, true
	}
	for _, prefix := range [...]string{"evt.arg.", "evt.rawarg.", "evt.type.is."} {
		if strings.HasPrefix(name, prefix) && len(name) > len(prefix) {
			return field{kind: text}, true
		}
	}
	return field{}, false
}

func suggestField(fields map[string]field, name string) string {
	names := make([]string, 0, len(fields))
	for known := range fields {
		names = append(names, known)
	}
	// In a fixed order, so that the same is suggested each time.
	return failure.DidYouMean(name, slices.Sorted(slices.Values(names)), "see falco.org/docs/reference/rules/supported-fields")
}
