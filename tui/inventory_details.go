package tui

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/pkictl/pkictl/ca"
)

// inventoryDetails is all that is known of one certificate.
type inventoryDetails struct {
	*world
	id     inventoryID
	detail *ca.Detail
	err    error
	first  int // the line at the top
	most   int // lines that the last frame could not show
	page   int
}

type inventoryDetailMsg struct {
	of     *inventoryDetails
	detail *ca.Detail
	err    error
}

func newInventoryDetails(w *world, id inventoryID) screen {
	return &inventoryDetails{world: w, id: id}
}

func (d *inventoryDetails) Init() tea.Cmd { return d.look }

// look reads the certificate, and all that is known of it.
func (d *inventoryDetails) look() tea.Msg {
	detail, err := ca.Look(d.ctx, ca.LookOptions{Dir: d.Dir, Serial: d.id.serial, IssuerID: d.id.issuer, Now: d.Now()})
	return inventoryDetailMsg{d, detail, err}
}

func (d *inventoryDetails) Title() string {
	if d.detail != nil && d.detail.Name != "" {
		return inventoryCut(d.detail.Name, 40)
	}
	return inventoryCut(d.id.serial, 40)
}

func (d *inventoryDetails) Keys() []key.Binding {
	return []key.Binding{
		binding("back", "esc"), binding("renew", "r"), binding("revoke", "v"), binding("export", "x"), binding("more", "down"),
	}
}

func (d *inventoryDetails) Update(msg tea.Msg) (screen, tea.Cmd) {
	switch msg := msg.(type) {
	case inventoryDetailMsg:
		if msg.of == d {
			d.detail, d.err = msg.detail, msg.err
		}
	case resumedMsg:
		return d, d.look
	case tea.KeyPressMsg:
		return d, d.press(msg.String())
	}
	return d, nil
}

func (d *inventoryDetails) press(pressed string) tea.Cmd {
	switch pressed {
	case "esc":
		return pop
	case "up", "k":
		d.first--
	case "down", "j":
		d.first++
	case "pgup", "ctrl+b":
		d.first -= d.page
	case "pgdown", "ctrl+f", "space":
		d.first += d.page
	case "home", "g":
		d.first = 0
	case "end", "G":
		d.first = d.most
	default:
		if open := inventoryActions()[pressed]; open != nil {
			return push(open(d.world, d.id))
		}
	}
	d.first = max(0, min(d.first, d.most))
	return nil
}

func (d *inventoryDetails) View(width, height int) string {
	lines := d.lines(width)
	d.page = height
	if len(lines) > height { // the last line says that there are more
		d.page = height - 1
	}
	d.most = max(0, len(lines)-d.page)
	d.first = min(d.first, d.most)
	shown := lines[d.first:min(d.first+d.page, len(lines))]
	if len(lines) > height {
		note := fmt.Sprintf("lines %d to %d of %d, up and down show the others", d.first+1, d.first+len(shown), len(lines))
		shown = append(shown[:len(shown):len(shown)], d.theme.Faint.Render(clip(note, width)))
	}
	return strings.Join(shown, "\n")
}

// lines are all that the screen shows.
func (d *inventoryDetails) lines(width int) []string {
	switch {
	case d.err != nil:
		return d.errorLines(d.err, width, 6)
	case d.detail == nil:
		return []string{d.theme.Faint.Render("Reading it …")}
	}
	var out []string
	for i, section := range inventorySections(d.world, d.detail) {
		if i > 0 {
			out = append(out, "")
		}
		if section.title != "" {
			out = append(out, d.theme.Title.Render(clip(section.title, width)))
		}
		out = append(out, section.lines(d.theme, width)...)
	}
	return out
}

// inventorySection is a part of what is known.
type inventorySection struct {
	title string
	rows  []row
	notes []string
}

// inventoryLabel is how many cells the labels of rows have.
const inventoryLabel = 16

func (s inventorySection) lines(t *theme, width int) []string {
	var out []string
	for _, r := range s.rows {
		if r.value == "" {
			continue
		}
		for i, line := range wrap(r.value, width-inventoryLabel-2, 8) {
			label := ""
			if i == 0 {
				label = r.label
			}
			out = append(out, t.Faint.Render(inventoryPad(label, inventoryLabel))+"  "+inventoryRowStyle(t, r).Render(line))
		}
	}
	for _, note := range s.notes {
		for i, line := range wrap(note, width-2, 8) {
			mark := "  "
			if i == 0 {
				mark = "• "
			}
			out = append(out, mark+line)
		}
	}
	return out
}

// inventoryRowStyle marks a state that is not a good one.
func inventoryRowStyle(t *theme, r row) lipgloss.Style {
	if r.label != "state" {
		return t.Text
	}
	switch word, _, _ := strings.Cut(r.value, " "); ca.State(strings.TrimSuffix(word, ",")) {
	case ca.StateValid:
		return t.Good
	case ca.StateReplaced:
		return t.Warn
	}
	return t.Bad
}

// inventorySections are what is known of a certificate, for the screen and for
// plain prompts.
func inventorySections(w *world, d *ca.Detail) []inventorySection {
	sections := []inventorySection{{rows: inventoryEntryRows(w, d)}}
	if d.Info != nil {
		sections = append(sections, inventorySection{title: "Certificate", rows: inventoryCertificateRows(d.Info)})
	}
	files := inventorySection{title: "Files", rows: []row{{"files", strings.Join(d.Files, ", ")}}}
	if len(d.Files) == 0 && d.Out != "" {
		files.rows = []row{{"files", "no longer in " + d.Out + ".crt"}}
	}
	if d.Credential {
		files.rows = append(files.rows, row{"credential", "of the command credential, which renews it"})
	}
	for _, path := range d.Also {
		where := path + " (holds another one now, or is gone)"
		for _, holder := range d.Holders {
			if holder == path {
				where = path
			}
		}
		files.rows = append(files.rows, row{"also in", where})
	}
	sections = append(sections, files)
	if relatives := inventoryRelatives(w, d); len(relatives.rows) > 0 {
		sections = append(sections, relatives)
	}
	if d.State == ca.StateValid || d.State == ca.StateReplaced || d.State == ca.StateIncomplete {
		sections = append(sections, inventorySection{title: "If it must not be used any more", notes: d.Advice})
	}
	return sections
}

// inventoryEntryRows are what the inventory says.
func inventoryEntryRows(w *world, d *ca.Detail) []row {
	state := string(d.State)
	switch d.State {
	case ca.StateReplaced:
		state += ": there is another certificate in its files; it authenticates until it ends"
	case ca.StateIncomplete:
		state += ": the serial was taken by a command that was killed; there is no certificate"
	case ca.StateRevoked:
		state += fmt.Sprintf(", on %s, reason %s", ca.FormatTime(*d.RevokedAt), d.Reason)
	}
	rows := []row{{"state", state}, {"name", d.CommonName}}
	if d.Name != d.CommonName {
		rows = append(rows, row{"name of files", d.Name})
	}
	rows = append(rows, row{"groups", strings.Join(d.Groups, ", ")}, row{"profile", d.Profile}, row{"serial", d.Serial})
	if !d.IssuedAt.IsZero() {
		rows = append(rows, row{"issued", ca.FormatTime(d.IssuedAt)})
	}
	if d.Info != nil {
		rows = append(rows, row{"begins", ca.FormatTime(d.Info.NotBefore)}, row{"ends", ca.FormatEnd(d.NotAfter, w.Now())})
	}
	return rows
}

// inventoryCertificateRows are what the certificate says.
func inventoryCertificateRows(c *ca.CertificateInfo) []row {
	rows := []row{{"subject", c.Subject}}
	if c.Kubernetes != nil {
		rows = append(rows, row{"Kubernetes user", c.Kubernetes.User}, row{"groups", strings.Join(c.Kubernetes.Groups, ", ")})
	}
	if c.SANs != nil {
		names := c.SANs
		rows = append(rows,
			row{"DNS names", strings.Join(names.DNS, ", ")}, row{"IP addresses", strings.Join(names.IP, ", ")},
			row{"URIs", strings.Join(names.URI, ", ")}, row{"e-mail", strings.Join(names.Email, ", ")}, row{"other names", strings.Join(names.Other, ", ")})
	}
	rows = append(rows, row{"usages", strings.Join(append(append([]string{}, c.KeyUsages...), c.ExtendedKeyUsages...), ", ")})
	if c.BasicConstraints != nil && c.BasicConstraints.CA {
		rows = append(rows, row{"CA", "yes"})
	}
	rows = append(rows,
		row{"key", c.PublicKey.Kind}, row{"signature", c.SignatureAlgorithm}, row{"issuer", c.Issuer},
		row{"issuer's key ID", c.AuthorityKeyID}, row{"key ID", c.SubjectKeyID},
		row{"CRL", strings.Join(c.CRLs, ", ")}, row{"OCSP", strings.Join(c.OCSP, ", ")},
		row{"SHA-256", c.SHA256})
	return rows
}

// inventoryMostRelatives is how many others for the same files are listed.
const inventoryMostRelatives = 10

// inventoryRelatives are other certificates that were made for the same files.
func inventoryRelatives(w *world, d *ca.Detail) inventorySection {
	section := inventorySection{title: "Others for the same files"}
	for i, e := range d.Relatives {
		if i == inventoryMostRelatives {
			section.rows = append(section.rows, row{"", fmt.Sprintf("and %d more", len(d.Relatives)-i)})
			break
		}
		how := "issued before"
		if e.IssuedAt.After(d.IssuedAt) || e.State == ca.StateValid { // the last one is in the files
			how = "issued later"
		}
		section.rows = append(section.rows, row{how, fmt.Sprintf("serial %s, %s, ends %s", e.Serial, e.State, ca.FormatEnd(e.NotAfter, w.Now()))})
	}
	return section
}
