package main

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Names under which kubectl finds the program: as a plugin, and as what
// completes the plugin's command line.
const (
	pluginName    = "kubectl-pki"
	completerName = "kubectl_complete-pki"
	pluginDisplay = "kubectl pki"
)

// calledAs returns the name by which users call the program, given the path it
// was started with, and the arguments that it was meant to have.
func calledAs(path string, args []string) (display string, command []string) {
	name := filepath.Base(path)
	if ext := filepath.Ext(name); strings.EqualFold(ext, ".exe") {
		name = strings.TrimSuffix(name, ext)
	}
	switch name {
	case pluginName:
		return pluginDisplay, args
	case completerName: // kubectl runs it with the words so far
		return pluginDisplay, append([]string{cobra.ShellCompRequestCmd}, args...)
	}
	return "", args
}

// displayAs has help, usage, examples and hints say how the program was called.
func (a *app) displayAs(root *cobra.Command) {
	if a.display == "" {
		return
	}
	a.commandLine = commandLine(root)
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: a.display}
	root.CompletionOptions.HiddenDefaultCmd = true // kubectl's own completes plugins
	var rename func(cmd *cobra.Command)
	rename = func(cmd *cobra.Command) {
		cmd.Long, cmd.Example = a.asCalled(cmd.Long), a.asCalled(cmd.Example)
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) { flag.Usage = a.asCalled(flag.Usage) })
		for _, sub := range cmd.Commands() {
			rename(sub)
		}
	}
	rename(root)
}

// commandLine matches the program's name where one of its commands follows; in
// "another pkictl" it is no command line.
func commandLine(root *cobra.Command) *regexp.Regexp {
	var names []string
	for _, cmd := range root.Commands() {
		names = append(names, regexp.QuoteMeta(cmd.Name()))
	}
	return regexp.MustCompile(`\bpkictl (` + strings.Join(names, "|") + `)\b`)
}

// asCalled replaces the program's name in the command lines of a text.
func (a *app) asCalled(text string) string {
	if a.commandLine == nil {
		return text
	}
	return a.commandLine.ReplaceAllString(text, a.display+" $1")
}
