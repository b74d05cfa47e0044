package tui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/lab"
)

// labsScreen is the catalogue of the practice labs, by domain, with what the
// learner has done. Typing filters.
type labsScreen struct {
	*world
	labsState
	loaded bool
	err    error
	filter string
	rows   []labsRow
	cursor int // of rows; on a row that can be opened
	list   labPane
	again  bool // loaded before: the cursor stays where it is
}

// labsState is what is loaded for the catalogue.
type labsState struct {
	labs     []*lab.Lab
	progress map[string]lab.Progress
	lacks    map[string]string // why this machine does not meet a need
	exam     bool              // an exam goes on
}

// labsLoadedMsg brings it.
type labsLoadedMsg struct {
	of    *labsScreen
	state labsState
	err   error
}

// labsRow is a line of the catalogue: a domain, a lab, or the exam.
type labsRow struct {
	domain *lab.Domain
	lab    *lab.Lab
}

func (r labsRow) isExam() bool  { return r.domain == nil && r.lab == nil }
func (r labsRow) canOpen() bool { return r.domain == nil }

// newLabs returns the catalogue of labs.
func newLabs(w *world) screen { return &labsScreen{world: w} }

func (s *labsScreen) Init() tea.Cmd { return s.load() }

func (s *labsScreen) load() tea.Cmd {
	return func() tea.Msg {
		state, err := loadLabs(s.world)
		return labsLoadedMsg{s, state, err}
	}
}

func (s *labsScreen) Title() string { return "Practice labs" }

func (s *labsScreen) isTyping() bool { return true }

func (s *labsScreen) Keys() []key.Binding {
	esc := binding("back", "esc")
	if s.filter != "" {
		esc = binding("show all", "esc")
	}
	return []key.Binding{binding("open", "enter"), binding("choose", "↑↓"), binding("filter", "a-z"),
		binding("exam", "ctrl+x"), esc}
}

func (s *labsScreen) Update(msg tea.Msg) (screen, tea.Cmd) {
	switch msg := msg.(type) {
	case labsLoadedMsg:
		if msg.of == s {
			s.labsState, s.err, s.loaded = msg.state, msg.err, true
			s.arrange()
		}
	case resumedMsg:
		return s, s.load()
	case tea.PasteMsg:
		s.setFilter(s.filter + strings.Join(strings.Fields(msg.Content), " "))
	case tea.KeyPressMsg:
		return s, s.key(msg)
	}
	return s, nil
}

func (s *labsScreen) key(msg tea.KeyPressMsg) tea.Cmd {
	switch msg.String() {
	case "esc":
		if s.filter == "" {
			return pop
		}
		s.setFilter("")
	case "enter":
		return s.open()
	case "ctrl+x":
		return s.openExam()
	case "backspace":
		if runes := []rune(s.filter); len(runes) > 0 {
			s.setFilter(string(runes[:len(runes)-1]))
		}
	case "ctrl+u":
		s.setFilter("")
	case "up", "ctrl+p":
		s.move(-1, 1)
	case "down", "ctrl+n":
		s.move(1, 1)
	case "pgup":
		s.move(-1, s.list.height-1)
	case "pgdown":
		s.move(1, s.list.height-1)
	case "home":
		s.move(-1, len(s.rows))
	case "end":
		s.move(1, len(s.rows))
	default:
		if msg.Text != "" {
			s.setFilter(s.filter + msg.Text)
		}
	}
	return nil
}

// move takes the cursor some rows on, over those that cannot be opened.
func (s *labsScreen) move(step, count int) {
	for i := s.cursor + step; i >= 0 && i < len(s.rows) && count > 0; i += step {
		if s.rows[i].canOpen() {
			s.cursor = i
			count--
		}
	}
}

// maxLabFilter is longer than the name of any lab.
const maxLabFilter = 80

func (s *labsScreen) setFilter(filter string) {
	if runes := []rune(filter); len(runes) > maxLabFilter {
		filter = string(runes[:maxLabFilter])
	}
	s.filter = filter
	s.arrange()
	s.cursor = s.firstLab()
}

// firstLab is the first row that stands for a lab, else that of the exam.
func (s *labsScreen) firstLab() int {
	for i, row := range s.rows {
		if row.lab != nil {
			return i
		}
	}
	return 0
}

func (s *labsScreen) selected() labsRow {
	if s.cursor < len(s.rows) {
		return s.rows[s.cursor]
	}
	return labsRow{}
}

// arrange makes the rows that the filter leaves. The cursor stays on its lab; at
// first it goes to the first that is not done.
func (s *labsScreen) arrange() {
	before := s.selected()
	s.rows = s.rows[:0]
	if s.filter == "" || labFinds("exam", s.filter) {
		s.rows = append(s.rows, labsRow{})
	}
	for _, domain := range lab.Domains() {
		some := false
		for _, l := range s.labs {
			if l.Domain != domain.ID || !labFinds(labWords(l, domain, s.state(l)), s.filter) {
				continue
			}
			if !some {
				s.rows = append(s.rows, labsRow{domain: &domain})
			}
			some = true
			s.rows = append(s.rows, labsRow{lab: l})
		}
	}
	s.cursor = s.place(before)
}

// place finds the row to be on.
func (s *labsScreen) place(before labsRow) int {
	for i, row := range s.rows {
		if before.lab != nil && row.lab == before.lab || s.again && before.lab == nil && row.isExam() {
			return i
		}
	}
	s.again = s.again || s.loaded
	for i, row := range s.rows {
		if row.lab != nil && s.state(row.lab) != lab.StatePassed && len(s.lacking(row.lab)) == 0 {
			return i
		}
	}
	return s.firstLab()
}

// labFinds says whether each word of what was typed is in a text.
func labFinds(text, typed string) bool {
	text = strings.ToLower(text)
	for word := range strings.FieldsSeq(strings.ToLower(typed)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// labWords are the words that typing finds a lab by.
func labWords(l *lab.Lab, domain lab.Domain, state lab.State) string {
	return strings.Join([]string{l.ID, l.Title, domain.Title, domain.Exam, state.String(), strings.Join(l.Needs, " ")}, " ")
}

func (s *labsScreen) open() tea.Cmd {
	switch row := s.selected(); {
	case s.cursor >= len(s.rows):
		return nil
	case row.isExam():
		return s.openExam()
	case row.lab != nil:
		return push(newLab(s.world, row.lab))
	}
	return nil
}

func (s *labsScreen) openExam() tea.Cmd {
	if !s.loaded || s.err != nil {
		return nil
	}
	return push(newExam(s.world))
}

func (s *labsState) state(l *lab.Lab) lab.State { return s.progress[l.ID].State() }

// lacking are the needs of a lab that this machine does not meet.
func (s *labsState) lacking(l *lab.Lab) []string {
	var list []string
	for _, need := range l.Needs {
		if _, lacks := s.lacks[need]; lacks {
			list = append(list, need)
		}
	}
	return list
}

// count counts the labs of a domain, "" for all, and those that have passed.
func (s *labsState) count(domain string) (passed, all int) {
	for _, l := range s.labs {
		if domain != "" && l.Domain != domain {
			continue
		}
		all++
		if s.state(l) == lab.StatePassed {
			passed++
		}
	}
	return passed, all
}
