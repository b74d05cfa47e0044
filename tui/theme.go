package tui

import "charm.land/lipgloss/v2"

// theme has all styles. The colours of a style go down to what the terminal can:
// 256, 16 or none.
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
}

// newTheme returns the styles for a dark or a light background.
func newTheme(isDark bool) *theme {
	pick := lipgloss.LightDark(isDark)
	style := lipgloss.NewStyle()
	accent := pick(lipgloss.Color("25"), lipgloss.Color("117"))
	faint := pick(lipgloss.Color("243"), lipgloss.Color("246"))
	return &theme{
		isDark:   isDark,
		Title:    style.Bold(true).Foreground(accent),
		Text:     style,
		Strong:   style.Bold(true),
		Faint:    style.Foreground(faint),
		Accent:   style.Foreground(accent),
		Good:     style.Foreground(pick(lipgloss.Color("28"), lipgloss.Color("114"))),
		Warn:     style.Foreground(pick(lipgloss.Color("130"), lipgloss.Color("221"))),
		Bad:      style.Foreground(pick(lipgloss.Color("160"), lipgloss.Color("210"))),
		Selected: style.Reverse(true),
		Key:      style.Foreground(accent),
	}
}
