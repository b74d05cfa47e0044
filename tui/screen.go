package tui

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// screen is one full picture below the title and above the keys.
type screen interface {
	// Init returns what loads what the screen shows. It is called once, when the
	// screen comes on top.
	Init() tea.Cmd
	// Update takes a message. Keys come to the screen on top alone, all other
	// messages to every screen on the stack: a message for one screen says which.
	Update(tea.Msg) (screen, tea.Cmd)
	// View draws the screen in at most height lines of at most width cells.
	View(width, height int) string
	// Title is its part of the path at the top.
	Title() string
	// Keys are the keys that are shown at the bottom, the most useful first.
	Keys() []key.Binding
}

// typing is a screen on which letters are text: single letters are no keys there.
type typing interface{ isTyping() bool }

// busy is a screen with work under way. Before the program ends or the screen is
// left, stop is called, and isBusy has to become false.
type busy interface {
	isBusy() bool
	// stop cancels the work. A message comes to the screen when it has ended.
	stop()
}

// pushMsg puts a screen on top.
type pushMsg struct{ screen screen }

// popMsg takes the top screen away. The one below gets resumedMsg.
type popMsg struct{}

// replaceMsg puts a screen in the place of the top one.
type replaceMsg struct{ screen screen }

// flowDoneMsg goes back to the screen that a flow was opened from: the first one, or
// the inventory.
type flowDoneMsg struct{}

// runMsg has a command run, for a screen that is not asked for one just now.
type runMsg struct{ cmd tea.Cmd }

// resumedMsg tells a screen that it is on top again, so that it can load anew
// what may have changed.
type resumedMsg struct{}

// push returns a command that puts a screen on top.
func push(s screen) tea.Cmd { return func() tea.Msg { return pushMsg{s} } }

func pop() tea.Msg { return popMsg{} }

func replace(s screen) tea.Cmd { return func() tea.Msg { return replaceMsg{s} } }

func flowDone() tea.Msg { return flowDoneMsg{} }

// binding is a key with its help.
func binding(help string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(keys[0], help))
}
