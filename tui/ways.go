package tui

import (
	"context"
	"io"
)

// way is one of the ways on from the first screen.
type way struct {
	title string
	help  string // what one gets there, in a line
	words string // more that typing finds it by
	open  func(*world) screen
	// Without a screen, in plain lines, it is asked through as a flow, or else
	// plain does it. A way with neither is not offered there.
	flow  func(*world) flow
	plain func(ctx context.Context, w *world, in io.Reader, out io.Writer) error
}

// ways are the ways on, in the order in which the first screen lists them.
func ways() []way {
	return []way{}
}
