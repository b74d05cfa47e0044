package tui

import (
	"bytes"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pkictl/pkictl/ca"
)

// inventoryBlockRows is how many certificates a block has. Nothing is shown of
// a block before it is full or the last, so that it is not large.
const inventoryBlockRows = 1024

// inventoryMaxText is how many bytes are kept of a name, a list of groups or a
// profile: far more than fits on a line.
const inventoryMaxText = 4096

// inventoryRow is one certificate in few bytes: there may be 100,000 of them,
// and of a ca.Entry, with all it points to, each would take a kilobyte. Its name,
// the name of its files where that is another, and its serial are in its block,
// one after the other.
type inventoryRow struct {
	ends       int64  // Unix time
	at         uint32 // where its texts begin
	name, file uint16 // lengths
	serial     uint8
	flags      inventoryFlags
	groups     uint16 // numbers of words of the block
	profile    uint16
	issuer     uint16
}

// inventoryFlags has the state in its lowest bits, as its number in ca.States.
type inventoryFlags uint8

const (
	inventoryStateMask inventoryFlags = 7
	inventoryCanBeDue  inventoryFlags = 8  // as ca.Entry says
	inventoryASCII     inventoryFlags = 16 // the names are
	inventoryNoHex     inventoryFlags = 32 // the serial is no even number of hexadecimal digits
)

func (r *inventoryRow) state() int { return int(r.flags & inventoryStateMask) }

func (r *inventoryRow) is(flag inventoryFlags) bool { return r.flags&flag != 0 }

// inventoryBlock is a number of certificates. It does not change once it is
// made, so that it may be read by several goroutines.
type inventoryBlock struct {
	text  []byte
	rows  []inventoryRow
	words []string // what many have in common: groups, profiles, issuers
}

func (b *inventoryBlock) name(r *inventoryRow) []byte { return b.text[r.at:][:r.name] }

func (b *inventoryBlock) file(r *inventoryRow) []byte {
	return b.text[int(r.at)+int(r.name):][:r.file]
}

func (b *inventoryBlock) groups(r *inventoryRow) string  { return b.words[r.groups] }
func (b *inventoryBlock) profile(r *inventoryRow) string { return b.words[r.profile] }
func (b *inventoryBlock) issuer(r *inventoryRow) string  { return b.words[r.issuer] }

// octets are those of the serial.
func (b *inventoryBlock) octets(r *inventoryRow) []byte {
	return b.text[int(r.at)+int(r.name)+int(r.file):][:r.serial]
}

// appendSerial appends the serial as it is shown.
func (b *inventoryBlock) appendSerial(to []byte, r *inventoryRow) []byte {
	octets := b.octets(r)
	if r.is(inventoryNoHex) {
		return append(to, octets...)
	}
	const digits = "0123456789ABCDEF"
	for _, octet := range octets {
		to = append(to, digits[octet>>4], digits[octet&15])
	}
	return to
}

// inventoryFiller makes blocks from entries. What it fills is used again for
// the next block, which has a copy of no more than it needs.
type inventoryFiller struct {
	block  inventoryBlock
	known  map[string]uint16 // the words of the block
	states []ca.State
}

func newInventoryFiller() *inventoryFiller {
	return &inventoryFiller{states: ca.States(), known: map[string]uint16{}}
}

// add adds an entry.
func (f *inventoryFiller) add(e *ca.Entry) {
	file := inventoryCut(e.Name, inventoryMaxText)
	name := inventoryCut(e.CommonName, inventoryMaxText)
	if name == "" || name == file {
		name, file = file, ""
	}
	b := &f.block
	//nolint:gosec // G115: a block has at most 1024 times two texts of inventoryMaxText and a serial
	row := inventoryRow{
		ends: e.NotAfter.Unix(), at: uint32(len(b.text)), name: uint16(len(name)), file: uint16(len(file)),
		flags:  inventoryFlags(slices.Index(f.states, e.State)) & inventoryStateMask,
		groups: f.word(strings.Join(e.Groups, ", ")), profile: f.word(e.Profile), issuer: f.word(e.IssuerID),
	}
	if e.CanBeDue() {
		row.flags |= inventoryCanBeDue
	}
	if isASCII(name) && isASCII(file) {
		row.flags |= inventoryASCII
	}
	b.text = append(append(b.text, name...), file...)
	before := len(b.text)
	var err error
	if b.text, err = hex.AppendDecode(b.text, []byte(e.Serial)); err != nil {
		row.flags |= inventoryNoHex
		b.text = append(b.text[:before], inventoryCut(e.Serial, math.MaxUint8)...)
	}
	row.serial = uint8(min(len(b.text)-before, math.MaxUint8)) //nolint:gosec // G115: min sees to it
	b.rows = append(b.rows, row)
}

// word returns the number of a word in the block.
func (f *inventoryFiller) word(s string) uint16 {
	s = inventoryCut(s, inventoryMaxText)
	i, isKnown := f.known[s]
	if !isKnown {
		i = uint16(len(f.block.words)) //nolint:gosec // G115: at most three for each row of a block
		f.block.words = append(f.block.words, s)
		f.known[s] = i
	}
	return i
}

func (f *inventoryFiller) isFull() bool { return len(f.block.rows) == inventoryBlockRows }

// take returns what was added since the last call.
func (f *inventoryFiller) take() *inventoryBlock {
	b := &inventoryBlock{text: bytes.Clone(f.block.text), rows: slices.Clone(f.block.rows), words: slices.Clone(f.block.words)}
	f.block = inventoryBlock{text: f.block.text[:0], rows: f.block.rows[:0], words: f.block.words[:0]}
	clear(f.known)
	return b
}

// inventoryCut cuts a text to a number of bytes, not within a character.
func inventoryCut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func isASCII[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// inventoryTable has all certificates. A copy of it may be read while the
// original grows. A certificate's number in it is its place as it was loaded.
type inventoryTable struct {
	blocks  []*inventoryBlock // all full but the last
	count   int
	inOrder bool // they came in the order of their ends
	last    int64
	states  [8]int // how many there are of each
}

func newInventoryTable() inventoryTable { return inventoryTable{inOrder: true, last: math.MinInt64} }

func (t *inventoryTable) add(b *inventoryBlock) {
	for i := range b.rows {
		row := &b.rows[i]
		t.inOrder = t.inOrder && row.ends >= t.last
		t.last = row.ends
		t.states[row.state()]++
	}
	t.blocks = append(t.blocks, b)
	t.count += len(b.rows)
}

// row returns a certificate and the block that has its texts.
func (t *inventoryTable) row(i uint32) (*inventoryBlock, *inventoryRow) {
	b := t.blocks[i/inventoryBlockRows]
	return b, &b.rows[i%inventoryBlockRows]
}

// inventoryID names a certificate: one serial may stand twice, of two issuers.
type inventoryID struct{ serial, issuer string }

func (t *inventoryTable) id(i uint32) inventoryID {
	b, row := t.row(i)
	return inventoryID{string(b.appendSerial(nil, row)), b.issuer(row)}
}

// find returns the certificate with that name.
func (t *inventoryTable) find(id inventoryID) (i uint32, found bool) {
	var serial []byte
	for n, b := range t.blocks {
		for k := range b.rows {
			row := &b.rows[k]
			if serial = b.appendSerial(serial[:0], row); string(serial) == id.serial && b.issuer(row) == id.issuer {
				return uint32(n*inventoryBlockRows + k), true
			}
		}
	}
	return 0, false
}
