package tui

import tea "charm.land/bubbletea/v2"

// keptFlow is a flow that was left before it was done, with what was typed.
type keptFlow struct {
	flow flow
	last *formLoad // that may still be under way
}

// openFlow returns the screen of a flow: with what was typed, if it was left before
// it was done.
func (w *world) openFlow(key string, made func(*world) flow) screen {
	kept, is := w.kept[key]
	if !is {
		kept.flow = made(w)
	}
	delete(w.kept, key)
	s := newForm(w, kept.flow).(*formScreen)
	s.key, s.last = key, kept.last
	return s
}

// leave keeps what was typed for the next time.
func (s *formScreen) leave() tea.Cmd {
	s.gone = true
	if s.key != "" {
		if s.kept == nil {
			s.kept = map[string]keptFlow{}
		}
		s.kept[s.key] = keptFlow{s.flow, s.last}
	}
	return pop
}

// awaitLast waits for the load of the form that was left: until it has ended nobody
// else reads what it fills.
func (s *formScreen) awaitLast() tea.Cmd {
	last := s.last
	if last == nil {
		return nil
	}
	s.under++
	return func() tea.Msg {
		<-last.done
		return formLoadedMsg{form: s, load: last}
	}
}
