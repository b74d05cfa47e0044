package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"
)

// formLoad is a load under way.
type formLoad struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended
	step   int
	frame  int // of the spinner
}

type (
	formLoadedMsg struct {
		form *formScreen
		load *formLoad
		err  error
	}
	formTickMsg struct {
		form *formScreen
		load *formLoad
	}
)

// load starts a step's load, after the one before has come to its end: they may
// fill the same lists.
func (s *formScreen) load(i int) tea.Cmd {
	ctx, cancel := context.WithCancel(s.ctx)
	l := &formLoad{cancel: cancel, done: make(chan struct{}), step: i}
	before := s.last
	s.loads, s.last = l, l
	s.under++
	load := s.steps[i].load
	s.refresh()
	s.focusOn(s.step().focus)
	return tea.Batch(s.tick(), func() tea.Msg {
		defer cancel()
		defer close(l.done)
		if before != nil {
			<-before.done
		}
		return formLoadedMsg{s, l, load(ctx)}
	})
}

func (s *formScreen) stopLoad() {
	if s.loads != nil {
		s.loads.cancel()
		s.loads = nil
	}
}

func (s *formScreen) tick() tea.Cmd {
	l := s.loads
	return spinnerTick(func() tea.Msg { return formTickMsg{s, l} })
}

// loaded takes the end of a load.
func (s *formScreen) loaded(msg formLoadedMsg) {
	s.under--
	if msg.load == s.loads {
		s.steps[msg.load.step].loaded = msg.err
		s.loads = nil
	}
	s.refresh()
}
