// Package examples is data that is linked into the program: the practice labs.
package examples

import "embed"

// Labs has a directory for each lab, below labs; lab.Read says what is in one.
//
//go:embed all:labs
var Labs embed.FS
