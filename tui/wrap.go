package tui

// Wrap breaks a text of several lines, such as a lab's, to a width, for what is printed
// outside of the wizard; nothing in it acts on a terminal.
func Wrap(text string, width int) []string { return labWrap(text, width) }

// WrapScript does so with commands, whose lines stay apart.
func WrapScript(script string, width int) []string { return labScript(script, width) }
