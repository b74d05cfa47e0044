package tui

import (
	"runtime/debug"

	tea "charm.land/bubbletea/v2"
)

// inventoryArrangedMsg brings what a screen is to show.
type inventoryArrangedMsg struct {
	of    *inventoryScreen
	data  *inventoryData
	count int // of certificates that were there
	by    inventoryColumn
	typed string
	// sorted is the order of all of them, order what the filter leaves of it.
	sorted, order []uint32
}

// inventoryKept is how many orders of the table are kept: each takes 400 kB of
// 100,000 certificates, and a tenth of a second to make.
const inventoryKept = 2

// inventoryChangedMsg says that the inventory is not what was read.
type inventoryChangedMsg struct{ of *inventoryScreen }

// rearrange has what is wanted shown, at once or when it has been computed.
func (s *inventoryScreen) rearrange() tea.Cmd {
	data := s.data
	if s.next != nil && s.next.isWhole {
		data = s.next
	}
	if s.isTrivial(data) {
		s.arrange.isStale = false
		s.take(data, inventoryShown{isAll: true, count: data.table.count})
		return nil
	}
	if s.arrange.isRunning {
		s.arrange.isStale = true
		return nil
	}
	s.arrange = inventoryArrangement{isRunning: true, count: data.table.count}
	filter, _ := parseInventoryFilter(s.typed, s.Now())
	msg := inventoryArrangedMsg{of: s, data: data, count: data.table.count, by: s.by, typed: s.typed}
	if sorted := data.sorted[s.by]; len(sorted) == data.table.count {
		msg.sorted = sorted
	}
	table := data.table // a copy: the screen goes on meanwhile
	return func() tea.Msg {
		if msg.sorted == nil {
			msg.sorted = table.order(msg.by)
		}
		msg.order = filter.apply(table, msg.sorted)
		if table.count > inventoryTwice {
			// What the sorting before this one has left would be kept for the next.
			debug.FreeOSMemory()
		}
		return msg
	}
}

// isTrivial says whether what is wanted is simply everything as it came.
func (s *inventoryScreen) isTrivial(data *inventoryData) bool {
	filter, _ := parseInventoryFilter(s.typed, s.Now())
	return s.by == inventoryByEnd && data.table.inOrder && filter.isEmpty()
}

// arranged takes what was computed, if it still is of use, and has computed what
// is wanted by now.
func (s *inventoryScreen) arranged(msg inventoryArrangedMsg) tea.Cmd {
	isStale := s.arrange.isStale
	s.arrange.isRunning, s.arrange.isStale = false, false
	if msg.data == s.data || msg.data == s.next {
		if msg.data.isWhole && msg.count == msg.data.table.count {
			if len(msg.data.sorted) >= inventoryKept {
				clear(msg.data.sorted)
			}
			msg.data.sorted[msg.by] = msg.sorted
		}
		if msg.by == s.by && msg.typed == s.typed && !s.isTrivial(msg.data) {
			s.take(msg.data, inventoryShown{order: msg.order})
		}
	}
	if isStale {
		return s.rearrange()
	}
	return nil
}

// take shows something else.
func (s *inventoryScreen) take(data *inventoryData, shown inventoryShown) {
	if s.data = data; data == s.next {
		s.next = nil
	}
	s.shown = shown
	s.follow()
}

// addBlock takes a block of certificates.
func (s *inventoryScreen) addBlock(msg inventoryBlockMsg) tea.Cmd {
	switch {
	case msg.load == s.data.load:
		s.data.table.add(msg.block)
		// Sorting at each block would be work for nothing.
		if s.isTrivial(s.data) || s.data.table.count >= 2*s.arrange.count {
			return tea.Batch(s.rearrange(), msg.load.next)
		}
		return msg.load.next
	case s.next != nil && msg.load == s.next.load:
		s.next.table.add(msg.block)
		return msg.load.next
	}
	return nil // of one that was given up
}

// endLoad is told that all has been read.
func (s *inventoryScreen) endLoad(load *inventoryLoad) tea.Cmd {
	switch {
	case load == s.data.load:
		s.data.isWhole, s.err = true, load.err
	case s.next != nil && load == s.next.load:
		if s.err = load.err; s.err != nil {
			s.next = nil // what was read before stays
			return nil
		}
		s.next.isWhole = true
	default:
		return nil
	}
	return s.rearrange()
}

// reload reads the inventory again.
func (s *inventoryScreen) reload() tea.Cmd {
	if s.next != nil || !s.data.isWhole {
		return nil // it is being read
	}
	return s.readAgain(startInventoryLoad(s.ctx, s.Dir, s.Now()))
}

// inventoryTwice is how many certificates may be in memory twice while they are
// read again. Of more, what was read before goes at once, and the cursor comes
// back to its certificate when that has been read.
const inventoryTwice = 20_000

func (s *inventoryScreen) readAgain(load *inventoryLoad) tea.Cmd {
	data := newInventoryData(load)
	if s.data.table.count <= inventoryTwice {
		s.next = data
		return load.next
	}
	s.data, s.selectedOf, s.shown, s.arrange.count = data, nil, inventoryShown{isAll: true}, 0
	return load.next
}

// lookForChanges sees whether the inventory has changed since it was read.
func (s *inventoryScreen) lookForChanges() tea.Cmd {
	if !s.data.isWhole {
		return nil
	}
	dir, stamp := s.Dir, s.data.load.stamp
	return func() tea.Msg {
		if inventoryStampOf(dir) == stamp {
			return nil
		}
		return inventoryChangedMsg{s}
	}
}
