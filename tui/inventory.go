package tui

import (
	"slices"
	"strings"
	"unicode"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// inventoryScreen is the table of the certificates in the PKI directory.
//
// The certificates come in blocks while they are read. What is shown is an
// order of their numbers, sorted and filtered in a command; the screen draws
// the rows that there is room for and looks at no others, so that a key takes as
// long with 100,000 certificates as with ten.
type inventoryScreen struct {
	*world
	data *inventoryData
	// next is being read anew, or sorted as this one is, and then takes its place.
	next *inventoryData
	err  error // of what was read last

	by        inventoryColumn
	backward  bool
	typed     string // the filter
	isFilter  bool   // keys are text of the filter
	filterErr error

	shown   inventoryShown
	arrange inventoryArrangement

	cursor   int // position in what is shown
	hasMoved bool
	// selected is the certificate that the cursor was put on, selectedAt its number
	// in selectedOf. It may be hidden by a filter, and another be under the cursor.
	selected   inventoryID
	selectedAt uint32
	selectedOf *inventoryData
	page       int // rows that the last frame had room for
	first      int // position of the first row in it
}

// inventoryData is what was read at one time.
type inventoryData struct {
	load    *inventoryLoad
	table   inventoryTable
	isWhole bool
	sorted  map[inventoryColumn][]uint32 // orders of the whole table
}

// inventoryShown is what the table shows: certificates in an order, or simply
// the first so many in the order in which they came.
type inventoryShown struct {
	order []uint32
	isAll bool
	count int // where isAll
}

func (s *inventoryShown) len() int {
	if s.isAll {
		return s.count
	}
	return len(s.order)
}

// inventoryArrangement is what is being sorted and filtered.
type inventoryArrangement struct {
	isRunning bool
	isStale   bool // something else is wanted by now
	count     int  // of certificates in what was arranged last
}

func newInventory(w *world) *inventoryScreen {
	return &inventoryScreen{
		world: w, data: newInventoryData(nil), by: inventoryByEnd, shown: inventoryShown{isAll: true}, page: 10,
	}
}

func newInventoryData(load *inventoryLoad) *inventoryData {
	return &inventoryData{load: load, table: newInventoryTable(), sorted: map[inventoryColumn][]uint32{}}
}

func (s *inventoryScreen) Init() tea.Cmd {
	s.data.load = startInventoryLoad(s.ctx, s.Dir, s.Now())
	return s.data.load.next
}

func (s *inventoryScreen) Title() string  { return "Inventory" }
func (s *inventoryScreen) isTyping() bool { return s.isFilter }

func (s *inventoryScreen) Keys() []key.Binding {
	if s.isFilter {
		return []key.Binding{binding("show them", "enter"), binding("leave the filter", "esc"), binding("clear it", "ctrl+u")}
	}
	back := binding("back", "esc")
	if s.typed != "" {
		back = binding("no filter", "esc")
	}
	return []key.Binding{
		binding("details", "enter"), binding("filter", "/"), back, binding("renew", "r"), binding("revoke", "v"), binding("export", "x"),
		binding("sort", "s"), binding("backward", "S"), binding("read again", "f5"),
	}
}

func (s *inventoryScreen) Update(msg tea.Msg) (screen, tea.Cmd) {
	switch msg := msg.(type) {
	case inventoryBlockMsg:
		return s, s.addBlock(msg)
	case inventoryLoadedMsg:
		return s, s.endLoad(msg.load)
	case inventoryArrangedMsg:
		if msg.of == s {
			return s, s.arranged(msg)
		}
	case inventoryChangedMsg:
		if msg.of == s {
			return s, s.reload()
		}
	case resumedMsg:
		return s, s.lookForChanges()
	case tea.PasteMsg:
		if s.isFilter {
			return s, s.filter(s.typed + inventoryTyped(msg.Content))
		}
	case tea.KeyPressMsg:
		if s.isFilter {
			return s, s.typeKey(msg)
		}
		return s, s.press(msg.String())
	}
	return s, nil
}

// inventoryTyped is what a filter takes of a text.
func inventoryTyped(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, inventoryCut(text, 200))
}

// press is a key in the table.
func (s *inventoryScreen) press(pressed string) tea.Cmd {
	if s.move(pressed) {
		return nil
	}
	switch pressed {
	case "esc":
		if s.typed != "" {
			return s.filter("")
		}
		return s.leave()
	case "/":
		s.isFilter = true
	case "s":
		return s.sort((s.by+1)%inventoryColumnCount, false)
	case "S", "shift+s":
		return s.sort(s.by, !s.backward)
	case "1", "2", "3", "4", "5", "6":
		by := inventoryColumn(pressed[0] - '1')
		return s.sort(by, by == s.by && !s.backward)
	case "f5", "ctrl+r":
		return s.reload()
	case "enter":
		return s.openSelected(func(w *world, id inventoryID) screen { return newInventoryDetails(w, id) })
	}
	if open := inventoryActions()[pressed]; open != nil {
		return s.openSelected(open)
	}
	return nil
}

// inventoryActions are what a key does with one certificate, in the table and
// in its details.
func inventoryActions() map[string]func(*world, inventoryID) screen {
	return map[string]func(*world, inventoryID) screen{
		"r": func(w *world, id inventoryID) screen { return newForm(w, newFlowRenew(w, id)) },
		"v": func(w *world, id inventoryID) screen { return newForm(w, newFlowRevoke(w, id)) },
		"x": func(w *world, id inventoryID) screen { return newForm(w, newFlowExport(w, id)) },
	}
}

func (s *inventoryScreen) openSelected(open func(*world, inventoryID) screen) tea.Cmd {
	if s.shown.len() == 0 {
		return nil
	}
	return push(open(s.world, s.data.table.id(s.number(s.cursor))))
}

func (s *inventoryScreen) leave() tea.Cmd {
	for _, data := range []*inventoryData{s.data, s.next} {
		if data != nil && data.load != nil {
			data.load.cancel()
		}
	}
	return pop
}

// typeKey is a key while the filter is typed.
func (s *inventoryScreen) typeKey(msg tea.KeyPressMsg) tea.Cmd {
	switch pressed := msg.String(); pressed {
	case "esc", "enter":
		s.isFilter = false
		return nil
	case "up", "down", "pgup", "pgdown":
		s.move(pressed)
		return nil
	case "backspace":
		runes := []rune(s.typed)
		return s.filter(string(runes[:max(0, len(runes)-1)]))
	case "ctrl+w":
		kept := strings.TrimRightFunc(s.typed, unicode.IsSpace)
		return s.filter(kept[:strings.LastIndexFunc(kept, unicode.IsSpace)+1])
	case "ctrl+u":
		return s.filter("")
	}
	if msg.Text == "" {
		return nil
	}
	return s.filter(s.typed + inventoryTyped(msg.Text))
}

func (s *inventoryScreen) filter(typed string) tea.Cmd {
	s.typed = inventoryCut(typed, 400)
	_, s.filterErr = parseInventoryFilter(s.typed, s.Now())
	return s.rearrange()
}

func (s *inventoryScreen) sort(by inventoryColumn, backward bool) tea.Cmd {
	s.by, s.backward = by, backward
	return s.rearrange()
}

// move moves the cursor, if the key does that.
func (s *inventoryScreen) move(pressed string) bool {
	to := s.cursor
	switch pressed {
	case "up", "k":
		to--
	case "down", "j":
		to++
	case "pgup", "ctrl+b":
		to -= s.page
	case "pgdown", "ctrl+f", "space":
		to += s.page
	case "home", "g":
		to = 0
	case "end", "G", "shift+g":
		to = s.shown.len() - 1
	default:
		return false
	}
	s.cursor = max(0, min(to, s.shown.len()-1))
	s.hasMoved = true
	s.selectCursor()
	return true
}

// number returns the certificate at a position of what is shown.
func (s *inventoryScreen) number(position int) uint32 {
	if s.backward {
		position = s.shown.len() - 1 - position
	}
	if s.shown.isAll {
		return uint32(position) //nolint:gosec // G115: a position in the table, which numbers by uint32
	}
	return s.shown.order[position]
}

// selectCursor remembers which certificate the cursor is on.
func (s *inventoryScreen) selectCursor() {
	if s.cursor < s.shown.len() {
		s.selectedAt, s.selectedOf = s.number(s.cursor), s.data
		s.selected = s.data.table.id(s.selectedAt)
	}
}

// follow puts the cursor on the certificate that it was on before what is shown
// has changed. Where that is not shown, it stays where it is and remembers it,
// until it is moved.
func (s *inventoryScreen) follow() {
	s.cursor = max(0, min(s.cursor, s.shown.len()-1))
	if !s.hasMoved {
		s.cursor = 0
		s.selectCursor()
		return
	}
	if s.selectedOf != s.data {
		var found bool
		if s.selectedAt, found = s.data.table.find(s.selected); !found {
			if s.data.isWhole { // it is gone
				s.selectCursor()
			}
			return
		}
		s.selectedOf = s.data
	}
	position := int(s.selectedAt)
	if !s.shown.isAll {
		position = slices.Index(s.shown.order, s.selectedAt)
	}
	if position < 0 || position >= s.shown.len() {
		return
	}
	if s.backward {
		position = s.shown.len() - 1 - position
	}
	s.cursor = position
}
