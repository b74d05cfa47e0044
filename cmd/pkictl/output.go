package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/show"
)

const apiVersion = "pkictl.dev/v1"

// typeMeta heads every result in JSON and YAML.
type typeMeta struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

func kind(name string) typeMeta { return typeMeta{APIVersion: apiVersion, Kind: name} }

// print writes a result in the form that was asked for: the value as JSON or
// YAML, or what text writes.
func (a *app) print(value any, text func(w io.Writer)) error {
	if a.quiet {
		return nil
	}
	var data []byte
	var err error
	switch a.output {
	case "json":
		if data, err = json.MarshalIndent(value, "", "  "); err == nil {
			data = append(data, '\n')
		}
	case "yaml":
		data, err = yaml.Marshal(value)
	default:
		var b strings.Builder
		text(&b)
		data = []byte(b.String())
	}
	if err != nil {
		return err
	}
	_, err = a.out.Write(data)
	return err
}

// printable is short for show.Text.
func printable(s string) string { return show.Text(s) }

func printableAll(list []string) string {
	shown := make([]string, len(list))
	for i, s := range list {
		shown[i] = printable(s)
	}
	return strings.Join(shown, ", ")
}

// row is a line of a result: what it is, and its value.
type row struct{ label, value string }

// printRows writes rows in two columns, without those that have no value.
func printRows(w io.Writer, indent string, rows ...row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		if r.value != "" {
			fmt.Fprintf(t, "%s%s\t%s\n", indent, r.label, printable(r.value))
		}
	}
	_ = t.Flush() // w is a buffer
}

func left(d time.Duration) string { return ca.FormatLeft(d) }

func utc(t time.Time) string { return ca.FormatTime(t) }

func ends(end, now time.Time) string { return ca.FormatEnd(end, now) }

// complete offers the values of a flag to the shell's completion.
func complete(cmd *cobra.Command, flag string, values ...string) {
	// The only error is a flag that does not exist, which a test would show.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
