package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/ca"
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

// printable shows a string that came from elsewhere. What a terminal would act
// on, or the eye would misread, is escaped: control characters, invalid UTF-8,
// and format characters such as bidirectional marks.
func printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], string(r)):
			fmt.Fprintf(&b, `\x%02x`, s[i]) // a byte that is not UTF-8
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

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

// left says how long it is until a time: 89d, 7h, 3d ago.
func left(d time.Duration) string {
	if d < 0 {
		return ca.FormatValidity(-d) + " ago"
	}
	return ca.FormatValidity(d)
}

func utc(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }

// ends shows an end with what is left.
func ends(end, now time.Time) string {
	d := end.Sub(now)
	shown := utc(end)
	if d < 0 {
		return shown + " (expired " + left(d) + ")"
	}
	return shown + " (in " + left(d) + ")"
}

// complete offers the values of a flag to the shell's completion.
func complete(cmd *cobra.Command, flag string, values ...string) {
	// The only error is a flag that does not exist, which a test would show.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
