package tui

import (
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
)

// theme has all styles. What they say is never in the colour alone: without any,
// bold, underlined and reversed text remain, and the words.
type theme struct {
	isDark bool

	Title    lipgloss.Style // the name of the program and of screens
	Text     lipgloss.Style
	Strong   lipgloss.Style
	Faint    lipgloss.Style // help, what is not under the cursor
	Accent   lipgloss.Style // what the cursor is on, commands
	Good     lipgloss.Style
	Warn     lipgloss.Style
	Bad      lipgloss.Style
	Selected lipgloss.Style // a whole row
	Key      lipgloss.Style // the name of a key at the bottom
	Rule     lipgloss.Style // lines between parts
}

// newTheme returns the styles for a dark or a light background in 256 colours.
func newTheme(isDark bool) *theme { return themeFor(isDark, colorprofile.ANSI256) }

// themeFor returns the styles for what the terminal can show.
func themeFor(isDark bool, profile colorprofile.Profile) *theme {
	c := colours256(isDark)
	switch {
	case profile < colorprofile.ANSI:
		c = palette{}
	case profile == colorprofile.ANSI:
		c = colours16(isDark)
	}
	style := lipgloss.NewStyle()
	coloured := func(colour string) lipgloss.Style {
		if colour == "" {
			return style
		}
		return style.Foreground(lipgloss.Color(colour))
	}
	t := &theme{
		isDark:   isDark,
		Title:    coloured(c.accent).Bold(true),
		Text:     style,
		Strong:   style.Bold(true),
		Faint:    coloured(c.faint),
		Accent:   coloured(c.accent),
		Good:     coloured(c.good),
		Warn:     coloured(c.warn),
		Bad:      coloured(c.bad),
		Selected: style.Reverse(true),
		Key:      coloured(c.accent).Bold(true),
		Rule:     coloured(c.rule),
	}
	if c.row != "" {
		t.Selected = style.Background(lipgloss.Color(c.row)).Foreground(lipgloss.Color(c.onRow)).Bold(true)
	}
	if c.accent == "" {
		t.Accent = style.Bold(true)
		t.Warn, t.Bad = style.Bold(true), style.Bold(true).Underline(true)
	}
	return t
}

// palette has the numbers of colours; an empty one is that of other text.
type palette struct{ accent, faint, good, warn, bad, rule, row, onRow string }

// colours256 are at least 4.5 times as bright, or as dark, as the backgrounds
// that people have (WCAG 2.2, 1.4.3); but for rules, which say nothing.
func colours256(isDark bool) palette {
	if isDark {
		return palette{accent: "117", faint: "248", good: "114", warn: "221", bad: "210", rule: "240", row: "24", onRow: "231"}
	}
	return palette{accent: "25", faint: "241", good: "22", warn: "94", bad: "124", rule: "250", row: "25", onRow: "231"}
}

// colours16 are numbers for which each terminal has its own colours: the blue, red
// and magenta here can be read on light and on dark ones, for what the background
// is may not be known. Grey (8) cannot; on some it is the background itself. Green
// cannot on a light one.
func colours16(isDark bool) palette {
	p := palette{accent: "12", warn: "5", bad: "9", rule: "8"}
	if isDark {
		p.good = "2"
	}
	return p
}
