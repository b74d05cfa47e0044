package tui

import (
	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/lab"
)

// key answers a key.
func (s *labScreen) key(name string) tea.Cmd {
	if s.question != nil {
		return labAnswer(&s.question, name)
	}
	if name == "esc" {
		return s.leave()
	}
	if s.doing != "" || s.leaving {
		return nil
	}
	if s.space == nil {
		return s.keyBefore(name)
	}
	s.note = ""
	switch name {
	case "tab", "shift+tab", "left", "right":
		s.side = 1 - s.side
		return nil
	case "c":
		if s.clusterDown() {
			return s.prepare("Starting its cluster", labResume)
		}
		return s.check()
	case "h":
		return s.hint()
	case "s":
		return s.solution()
	case "r":
		return s.reset()
	case "x":
		if s.lab.HasCluster() {
			return s.ask("end it", s.end, "End its cluster?", "The work stays. When the lab is opened again, the cluster goes on with what is in it.")
		}
		return nil
	case "y":
		s.note = "Copied: " + s.cd()
		return tea.SetClipboard(s.cd())
	case "n":
		if s.passed() && s.next != nil {
			return s.save(nil, replace(newLab(s.world, s.next)))
		}
		return nil
	case "e":
		s.expandAll()
		return nil
	}
	if s.side == 0 {
		s.tasks.key(name)
		return nil
	}
	s.keyChecks(name)
	return nil
}

// keyBefore answers a key where the workspace is not there yet.
func (s *labScreen) keyBefore(name string) tea.Cmd {
	switch {
	case name == "enter" && s.err != nil && !s.loaded:
		return s.prepare("Reading what there is", labResume)
	case name == "enter":
		doing := "Writing the files to start from"
		if s.lab.HasCluster() {
			doing = "Making the PKI of its cluster"
		}
		return s.prepare(doing, labStart)
	}
	s.tasks.key(name)
	return nil
}

func (s *labScreen) keyChecks(name string) {
	last := len(s.lab.Checks) - 1
	switch name {
	case "up", "k":
		s.cursor = max(s.cursor-1, 0)
	case "down", "j":
		s.cursor = min(s.cursor+1, last)
	case "home":
		s.cursor = 0
	case "end":
		s.cursor = last
	case "pgup":
		s.cursor = max(s.cursor-5, 0)
	case "pgdown":
		s.cursor = min(s.cursor+5, last)
	case "enter", "space":
		s.expanded[s.cursor] = !s.expanded[s.cursor]
	}
}

// expandAll shows of all checks what was wanted and found, or of none.
func (s *labScreen) expandAll() {
	all := true
	for i := range s.lab.Checks {
		all = all && s.expanded[i]
	}
	for i := range s.lab.Checks {
		s.expanded[i] = !all
	}
	s.side = 1
}

// cd is the command that goes to the workspace.
func (s *labScreen) cd() string { return s.lab.Enter(s.space.Dir) }

// ask puts a question before a command.
func (s *labScreen) ask(yes string, do func() tea.Cmd, lines ...string) tea.Cmd {
	s.question = &labQuestion{lines: lines, yes: yes, then: do}
	return nil
}

// hint shows the next hint.
func (s *labScreen) hint() tea.Cmd {
	s.side, s.showLastHint = 0, true
	shown := min(s.progress.Hints, len(s.lab.Hints))
	if shown == len(s.lab.Hints) {
		s.note = "These are all hints. s shows the solution."
		return nil
	}
	s.progress.Hints = shown + 1
	return s.save(func(p *lab.Progress) { p.ShowedHints(shown + 1) }, nil)
}

// solution shows it; before the lab has passed that means to give up.
func (s *labScreen) solution() tea.Cmd {
	if s.passed() || s.progress.GaveUp || !s.progress.PassedAt.IsZero() {
		return s.showSolution()
	}
	return s.ask("show it", func() tea.Cmd {
		return s.save(func(p *lab.Progress) { p.ShowedSolution() }, s.showSolution())
	}, "Give up and show the solution?", "The lab then counts as given up until it passes. You can do it yourself after that, or go back to a hint first.")
}

func (s *labScreen) showSolution() tea.Cmd {
	s.covered = true
	return push(newLabSolution(s.world, s.lab))
}

func (s *labScreen) reset() tea.Cmd {
	return s.ask("start anew", func() tea.Cmd {
		s.cancelCheck()
		s.expanded, s.cursor = map[int]bool{}, 0
		s.noteAfter = "The lab begins anew. What was there is in before-reset."
		return s.prepare(labResetting(s.lab), labReset)
	}, "Start the lab anew?", labResetText(s.lab, s.space))
}

func labResetting(l *lab.Lab) string {
	if l.HasCluster() {
		return "Putting back what the lab begins with, and starting a cluster anew; this takes some seconds"
	}
	return "Putting back what the lab begins with"
}

// labResetText says what a reset does.
func labResetText(l *lab.Lab, space *lab.Workspace) string {
	what := "What is in " + space.Dir + " is moved aside, to before-reset beside it, and the files to start from come back."
	if l.HasCluster() {
		what += " Its cluster is made anew, too."
	}
	return what + " Your best result and the time stay."
}
