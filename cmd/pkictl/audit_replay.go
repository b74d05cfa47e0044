package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
)

type auditReplayFlags struct {
	audit.ReplayOptions
	policy  string
	against string
	explain bool
}

func (a *app) auditReplayCmd() *cobra.Command {
	var f auditReplayFlags
	cmd := &cobra.Command{
		Use:   "replay LOG...",
		Short: "Show what a policy would have kept of an audit log",
		Long: `Read audit logs of kube-apiserver, decide about every event by a policy as
kube-apiserver does, and show how many events and bytes it would have kept: by
rule, level, user, resource and day; with --against, also what it gains and
loses against another policy.

A log is a file, - for standard input, or a directory, of which audit.log (or
the only .log) and what was rotated of it are read; --rotated does so for a file.
What gzip has compressed is decompressed. Of a log that grows, what is there now
is read. Lines that are no event of audit.k8s.io/v1 are counted, and the first
are shown. Lines of more than 16 MiB are passed over.

A log has only what its own policy let through:
  - Requests and stages that it left out cannot come back. To see what a policy
    costs at most, replay a log written at level RequestResponse.
  - Where the policy wants objects that an event was logged without, its bytes
    are at least those shown, which a + says.
  - Where the policy wants less than was logged, the bytes are those without the
    objects, and without the managed fields if it omits these.
  - The bytes are those of the lines of the log, and of none but these: with
    --audit-log-compress, or behind a webhook, others are stored.
It is the user who authenticated that counts, not whom they impersonate.

Bytes a day are extrapolated from the time between the first event and the last.
Memory stays the same however long the log: of more than 10000 users or resources
the others are counted as one.`,
		Example: `  pkictl audit generate --out policy.yaml && pkictl audit generate --preset minimal --out minimal.yaml
  echo '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"list","user":{"username":"jane"}}' > audit.log
  pkictl audit replay --policy policy.yaml audit.log
  pkictl audit replay --policy policy.yaml --against minimal.yaml audit.log
  gzip -k audit.log && pkictl audit replay --policy policy.yaml audit.log.gz -o json
  cat audit.log | pkictl audit replay --policy policy.yaml --top 3 -
  pkictl audit replay --explain audit.log`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return failure.New(failure.Usage, "name one, as in: pkictl audit replay --policy policy.yaml /var/log/kubernetes/audit/audit.log", "there is no log to replay")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Logs = args
			return a.auditReplay(cmd, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.policy, "policy", "", "policy `FILE`; - is standard input")
	flags.StringVar(&f.against, "against", "", "also compare with the policy in this `FILE`")
	flags.BoolVar(&f.Rotated, "rotated", false, "also read what was rotated of each log: audit-2026-01-02T15-04-05.000.log, .gz")
	flags.IntVar(&f.Top, "top", 10, "`NUMBER` of users and resources to list; 0 lists all")
	addExplain(cmd, &f.explain)
	return cmd
}

func (a *app) auditReplay(cmd *cobra.Command, f auditReplayFlags) error {
	f.Stdin = a.in
	switch {
	case f.explain:
		return a.explain(audit.ExplainReplay(f.ReplayOptions))
	case f.policy == "":
		return failure.New(failure.Usage, "add --policy FILE; pkictl audit generate writes one", "there is no policy to replay the log by")
	case f.policy == "-" && f.against == "-" || (f.policy == "-" || f.against == "-") && slices.Contains(f.Logs, "-"):
		return failure.New(failure.Usage, "name a file for the others", "standard input holds one policy, or a log")
	case f.Top < 0:
		return failure.New(failure.Usage, "write it like 10", "--top %d is no number of rows", f.Top)
	}
	var err error
	if f.Policy, err = a.readPolicy(f.policy); err != nil {
		return err
	}
	if f.against != "" {
		if f.Against, err = a.readPolicy(f.against); err != nil {
			return err
		}
	}
	bar := a.newProgress(0)
	bar.unit = " MiB"
	f.Progress = func(done, total int64) {
		bar.total = int(total >> 20)
		bar.show(int(done >> 20))
	}
	report, err := audit.Replay(cmd.Context(), f.ReplayOptions)
	bar.clear()
	if err != nil {
		return err
	}
	return a.printReplay(report)
}
