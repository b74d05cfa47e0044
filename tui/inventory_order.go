package tui

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
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
	inventoryColumnCount
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
	c := 0
	switch by {
	case inventoryByName:
		c = cmp.Or(bytes.Compare(xb.name(xr), yb.name(yr)), bytes.Compare(xb.file(xr), yb.file(yr)))
	case inventoryByGroups:
		c = strings.Compare(xb.groups(xr), yb.groups(yr))
	case inventoryByProfile:
		c = strings.Compare(xb.profile(xr), yb.profile(yr))
	case inventoryBySerial: // a number without leading zeros
		c = cmp.Or(cmp.Compare(xr.serial, yr.serial), bytes.Compare(xb.octets(xr), yb.octets(yr)))
	case inventoryByState:
		c = cmp.Compare(xr.state(), yr.state())
	}
	if c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(xr.ends, yr.ends), cmp.Compare(x, y))
}
