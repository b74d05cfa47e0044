package tui

import (
	"bytes"
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
// and of a ca.Entry, with all it points to, each would take a kilobyte. Its texts
// are in its block, one after the other with a NUL in between.
type inventoryRow struct {
	ends     int64  // Unix time
	at       uint32 // where its texts begin
	lengths  [inventoryTexts]uint16
	issuer   uint16 // in the block
	state    uint8  // in ca.States
	canBeDue bool
	isASCII  bool
}

// The texts of a row, in their order.
const (
	inventoryTextName = iota
	inventoryTextFile // the name of its files, where that is another
	inventoryTextGroups
	inventoryTextProfile
	inventoryTextSerial
	inventoryTexts
)

// inventoryBlock is a number of certificates. It does not change once it is
// made, so that it may be read by several goroutines.
type inventoryBlock struct {
	text    []byte
	rows    []inventoryRow
	issuers []string // key identifiers
}

// text returns one of a row's texts.
func (b *inventoryBlock) textOf(r *inventoryRow, which int) []byte {
	at := int(r.at)
	for i := range which {
		at += int(r.lengths[i]) + 1
	}
	return b.text[at : at+int(r.lengths[which])]
}

// allText returns all of a row's texts, with a NUL between each.
func (b *inventoryBlock) allText(r *inventoryRow) []byte {
	end := int(r.at) + inventoryTexts - 1
	for _, n := range r.lengths {
		end += int(n)
	}
	return b.text[r.at:end]
}

// inventoryFiller makes blocks from entries. What it fills is used again for
// the next block, which has a copy of no more than it needs.
type inventoryFiller struct {
	block  inventoryBlock
	states []ca.State
}

func newInventoryFiller() *inventoryFiller { return &inventoryFiller{states: ca.States()} }

// add adds an entry.
func (f *inventoryFiller) add(e *ca.Entry) {
	file := e.Name
	name := e.CommonName
	if name == "" || name == file {
		name, file = file, ""
	}
	b := &f.block
	row := inventoryRow{
		ends: e.NotAfter.Unix(), at: uint32(len(b.text)), canBeDue: e.CanBeDue(), isASCII: true,
		state: uint8(slices.Index(f.states, e.State)), issuer: f.issuer(e.IssuerID),
	}
	for i, s := range [inventoryTexts]string{name, file, strings.Join(e.Groups, ", "), e.Profile, e.Serial} {
		s = inventoryCut(s, inventoryMaxText)
		if i > 0 {
			b.text = append(b.text, 0)
		}
		b.text = append(b.text, s...)
		row.lengths[i] = uint16(len(s))
		row.isASCII = row.isASCII && inventoryIsASCII(s)
	}
	b.rows = append(b.rows, row)
}

// issuer returns the number of an issuer in the block.
func (f *inventoryFiller) issuer(id string) uint16 {
	i := slices.Index(f.block.issuers, id)
	if i < 0 {
		i = len(f.block.issuers)
		f.block.issuers = append(f.block.issuers, id)
	}
	return uint16(min(i, math.MaxUint16))
}

func (f *inventoryFiller) isFull() bool { return len(f.block.rows) == inventoryBlockRows }

// take returns what was added since the last call.
func (f *inventoryFiller) take() *inventoryBlock {
	b := &inventoryBlock{text: bytes.Clone(f.block.text), rows: slices.Clone(f.block.rows), issuers: f.block.issuers}
	f.block = inventoryBlock{text: f.block.text[:0], rows: f.block.rows[:0]}
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

func inventoryIsASCII[T string | []byte](s T) bool {
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
		t.states[row.state]++
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
	return inventoryID{string(b.textOf(row, inventoryTextSerial)), b.issuers[row.issuer]}
}

// find returns the certificate with that name.
func (t *inventoryTable) find(id inventoryID) (i uint32, found bool) {
	for n, b := range t.blocks {
		for k := range b.rows {
			row := &b.rows[k]
			if string(b.textOf(row, inventoryTextSerial)) == id.serial && b.issuers[row.issuer] == id.issuer {
				return uint32(n*inventoryBlockRows + k), true
			}
		}
	}
	return 0, false
}
