package nginx

import (
	"regexp"
	"strings"
)

// ifReturn is what this package reads of if: one comparison of a variable, and return
// alone in its block, as programs that get certificates write it.
type ifReturn struct {
	variable, op, value string
	back                directive // return
}

// readIf reads an if. Others are refused: nginx itself warns of them.
func readIf(d directive) (i ifReturn, err error) {
	re := regexp.MustCompile(`^\(\s*\$(host|http_host|scheme|server_name|uri|request_uri|document_uri)\s+(=|!=)\s+([A-Za-z0-9._/-]+)\s*\)$`)
	parts := re.FindStringSubmatch(strings.Join(d.args, " "))
	if parts == nil || len(d.block) != 1 || d.block[0].name != "return" {
		return i, d.errorf("a server for each port, with return, does without it", "of if this lab reads ($variable = value) with return alone in its block")
	}
	i = ifReturn{parts[1], parts[2], parts[3], d.block[0]}
	return i, checkArguments(i.back)
}

// holds says whether the comparison does for a request.
func (i ifReturn) holds(r *request) bool {
	return strings.EqualFold(r.expand("$"+i.variable), i.value) == (i.op == "=")
}

// write writes it with what was read alone.
func (i ifReturn) write(w *writer, depth int) {
	w.open(depth, "if")
	w.text.WriteString(" ($" + i.variable + " " + i.op + " " + i.value + ") {\n")
	w.line(depth+1, "return", i.back.args...)
	w.text.WriteString(strings.Repeat("  ", depth) + "}\n")
}
