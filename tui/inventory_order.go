package tui

import (
	"bytes"
	"cmp"
	"slices"
)

// inventoryColumn is what the table is sorted by.
type inventoryColumn int

const (
	inventoryByName inventoryColumn = iota
	inventoryByGroups
	inventoryByProfile
	inventoryBySerial
	inventoryByEnd
	inventoryByState
	inventoryColumns
)

// title returns what stands above a column.
func (c inventoryColumn) title() string {
	return [...]string{"NAME", "GROUPS", "PROFILE", "SERIAL", "ENDS IN", "STATE"}[c]
}

// order returns the certificates sorted by a column; of those that are equal in
// it, the first to end is first.
func (t inventoryTable) order(by inventoryColumn) []uint32 {
	order := make([]uint32, t.count)
	for i := range order {
		order[i] = uint32(i)
	}
	if by == inventoryByEnd && t.inOrder {
		return order
	}
	slices.SortFunc(order, func(x, y uint32) int { return t.compare(by, x, y) })
	return order
}

func (t *inventoryTable) compare(by inventoryColumn, x, y uint32) int {
	xb, xr := t.row(x)
	yb, yr := t.row(y)
	text := func(which int) int { return bytes.Compare(xb.textOf(xr, which), yb.textOf(yr, which)) }
	c := 0
	switch by {
	case inventoryByName:
		c = cmp.Or(text(inventoryTextName), text(inventoryTextFile))
	case inventoryByGroups:
		c = text(inventoryTextGroups)
	case inventoryByProfile:
		c = text(inventoryTextProfile)
	case inventoryBySerial: // a number in hexadecimal without leading zeros, but for an even number of digits
		c = cmp.Or(cmp.Compare(xr.lengths[inventoryTextSerial], yr.lengths[inventoryTextSerial]), text(inventoryTextSerial))
	case inventoryByState:
		c = cmp.Compare(xr.state, yr.state)
	}
	if c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(xr.ends, yr.ends), cmp.Compare(x, y))
}
