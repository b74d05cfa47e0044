package audit

import (
	"fmt"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// ExplainReplay returns the shell commands that count the events of the logs as
// they are, by level, by user and by resource. No common program tells what a
// policy would keep of them.
func ExplainReplay(o ReplayOptions) (string, error) {
	if len(o.Logs) == 0 {
		return "", failure.New(failure.Usage, "name a log", "there is nothing to replay")
	}
	inputs, err := findLogs(o)
	if err != nil {
		return "", err
	}
	var names []string
	for _, in := range inputs {
		names = append(names, shell.Quote(in.name))
	}
	cat := "gzip -dcf " + strings.Join(names, " ") // with -f it passes on what is not packed
	return fmt.Sprintf(`# Events and bytes in the log by level, by user and by resource. Lines that are no
# events are left out. What a policy keeps of them only a kube-apiserver tells.
count() {
  %s |
    jq -rR ". as \$line | fromjson? | objects | select(.kind == \"Event\") |
      [$1, (\$line | utf8bytelength + 1)] | @tsv" |
    awk -F '\t' '{ n[$1]++; b[$1] += $2 } END { for (k in n) print n[k], b[k], k }' | sort -rn
}
count .level
count .user.username
count '(.objectRef // {} | .resource + (if .apiGroup then "." + .apiGroup else "" end) +
  (if .subresource then "/" + .subresource else "" end))'
`, cat), nil
}
