package apparmor_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pkictl/pkictl/lab/apparmor"
)

// parserProgram is Debian's apparmor_parser, often not on PATH.
const parserProgram = "/usr/sbin/apparmor_parser"

// compile gives a profile to apparmor_parser, which compiles it for no kernel.
func compile(t *testing.T, text string) (policy []byte, complaint string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "profile")
	write(t, path, text)
	cmd := exec.Command(parserProgram, "--policy-features", "/etc/apparmor.d/abi/3.0", "--skip-kernel-load", "--skip-cache", "--stdout", path)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
			t.Fatalf("it needs Debian's apparmor: %v", err)
		}
		return nil, errs.String()
	}
	return out.Bytes(), ""
}

// dfa is the automaton for files in a compiled policy, in the tables that the kernel
// reads (security/apparmor/match.c).
type dfa struct {
	accept, base, def, next, check []uint32
	classes                        []uint32
}

// Numbers of the tables, and the flags of an entry of base.
const (
	tableAccept = 1 + iota
	tableBase
	tableCheck
	tableDefault
	tableClasses
)
const tableNext = 8

// fileDFA finds the last automaton of a policy of one profile, which is that for files.
func fileDFA(t *testing.T, policy []byte) *dfa {
	t.Helper()
	magic := []byte{0x1b, 0x5e, 0x78, 0x3d}
	at := bytes.LastIndex(policy, magic)
	if at < 0 {
		t.Fatal("the policy has no automaton")
	}
	data := policy[at:]
	header, size := binary.BigEndian.Uint32(data[4:]), binary.BigEndian.Uint32(data[8:])
	data = data[header:size]
	d := &dfa{}
	tables := map[uint16]*[]uint32{tableAccept: &d.accept, tableBase: &d.base, tableCheck: &d.check, tableDefault: &d.def, tableClasses: &d.classes, tableNext: &d.next}
	for len(data) >= 12 {
		id, width, count := binary.BigEndian.Uint16(data), int(binary.BigEndian.Uint16(data[2:])), int(binary.BigEndian.Uint32(data[8:]))
		var list []uint32
		for i := range count {
			var v uint32
			for _, b := range data[12+i*width : 12+(i+1)*width] {
				v = v<<8 | uint32(b)
			}
			list = append(list, v)
		}
		if to := tables[id]; to != nil {
			*to = list
		}
		data = data[min(len(data), (12+count*width+7)&^7):]
	}
	if d.accept == nil || d.next == nil {
		t.Fatal("the automaton lacks a table")
	}
	return d
}

// perms returns what the automaton says of a path: for its owner, and for others.
func (d *dfa) perms(path string) (owner, other apparmor.Perms) {
	const differential = 1 << 31 // in base: the state is told by its difference from another
	state := uint32(1)
	for _, c := range []byte(path) {
		class := uint32(c)
		if d.classes != nil {
			class = d.classes[c]
		}
		for {
			pos := d.base[state]&0xffffff + class
			if d.check[pos] == state {
				state = d.next[pos]
				break
			}
			from := state
			state = d.def[state]
			if d.base[from]&differential == 0 {
				break
			}
		}
	}
	accept := d.accept[state]
	return fromKernel(accept & 0x7f), fromKernel(accept >> 14 & 0x7f)
}

// fromKernel translates AA_MAY_EXEC and the others.
func fromKernel(bits uint32) (perms apparmor.Perms) {
	for i, p := range []apparmor.Perms{apparmor.Exec, apparmor.Write, apparmor.Read, apparmor.Append, apparmor.Link, apparmor.Lock, apparmor.Map} {
		if bits&(1<<i) != 0 {
			perms |= p
		}
	}
	return perms
}
