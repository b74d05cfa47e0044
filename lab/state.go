package lab

// State is how far a learner is with a lab.
type State int

// The states of a lab.
const (
	StateNew State = iota
	StateStarted
	StatePassed
	StateGivenUp
)

// State says how far a learner is. Who has passed a lab stays so.
func (p Progress) State() State {
	switch {
	case !p.PassedAt.IsZero():
		return StatePassed
	case p.GaveUp:
		return StateGivenUp
	case !p.StartedAt.IsZero():
		return StateStarted
	}
	return StateNew
}

// String is the state in words.
func (s State) String() string { return [...]string{"new", "started", "passed", "given up"}[s] }

// Sign is the state in one character.
func (s State) Sign() string { return [...]string{"○", "~", "✓", "–"}[s] }

// MarshalText implements encoding.TextMarshaler.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
