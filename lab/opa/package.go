package opa

import (
	"bufio"
	"bytes"
	"regexp"
	"strings"
)

// Package returns the path of a policy's package, as in kubernetes.admission; empty
// where its first statement names none, or one that needs brackets.
func Package(policy []byte) string {
	lines := bufio.NewScanner(bytes.NewReader(policy))
	lines.Buffer(nil, MaxPolicy)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		match := regexp.MustCompile(`^package\s+([A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*)\s*(;|$)`).FindStringSubmatch(line)
		if match == nil {
			return ""
		}
		return match[1]
	}
	return ""
}
