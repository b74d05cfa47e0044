// Package tui is the wizard: screens on a terminal that ask for what the flags of
// the commands say, fill the same options, call the same functions, and show the
// command that would have done it. What a rule, a default or a check is stands in
// the packages below; here is what is asked, in which words, and what is drawn.
//
// The program (wizard.go) is one model (root.go), a stack of screens (screen.go)
// that take messages and draw themselves. guard.go and terminal.go give the
// terminal back whatever happens. What touches a disk, a network or a key runs in
// a goroutine (world.work, formjob.go) and comes back as a message.
//
// The first screen is home*.go; ways.go lists where it leads:
//
//   - A flow (flow.go) is data: steps of fields, what to show before it asks, and
//     what to do. Each is in flow_NAME*.go. form*.go asks, review*.go shows what
//     would be done, working.go does it and result.go says how it went; formplain*.go
//     goes through the same flow in lines. field*.go are the kinds of questions,
//     secret.go the prompt for a passphrase.
//   - inventory*.go is the table of certificates, lab*.go the practice labs and
//     exam*.go the exam, each with its *_plain.go for --accessible (plain.go).
//
// Text from outside is drawn through text and clip (text.go) alone. Styles come
// from the theme (theme.go).
package tui
