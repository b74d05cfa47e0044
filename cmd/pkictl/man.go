package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/pkictl/pkictl/internal/failure"
)

func (a *app) manCmd() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "man [COMMAND]...",
		Short: "Print a manual page, or write all of them",
		Long: `Print the manual page of pkictl, or of one command, in the form that man(1)
reads; with --out write a page for every command into a directory.`,
		Example: `  pkictl man
  pkictl man issue
  pkictl man --out man1`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true // a date would make every build differ
			if out == "" {
				return a.printMan(root, args)
			}
			if len(args) > 0 {
				return failure.New(failure.Usage, "leave the name or --out away", "--out writes the pages of all commands")
			}
			return writeMan(root, out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write all pages into this directory, which is made if need be")
	return cmd
}

func (a *app) printMan(root *cobra.Command, args []string) error {
	found, rest, err := root.Find(args)
	if err != nil || len(rest) > 0 {
		return failure.New(failure.Usage, "see: pkictl --help", "there is no command %q", strings.Join(args, " "))
	}
	var page bytes.Buffer
	if err := doc.GenMan(found, manHeader(), &page); err != nil {
		return err
	}
	_, err = a.out.Write(page.Bytes())
	return err
}

func writeMan(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // G301: manual pages are for everyone
		return failure.Wrap(err, failure.Failed, "choose another directory", "cannot write manual pages")
	}
	if err := doc.GenManTree(root, manHeader(), filepath.Clean(dir)); err != nil {
		return failure.Wrap(err, failure.Failed, "choose another directory", "cannot write manual pages")
	}
	return nil
}

// manHeader has the day 0 for a date: the pages change with the program, not
// with the day.
func manHeader() *doc.GenManHeader {
	epoch := time.Unix(0, 0)
	return &doc.GenManHeader{Section: "1", Source: "pkictl " + version, Manual: "pkictl manual", Date: &epoch}
}
