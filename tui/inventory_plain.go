package tui

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// inventoryPlainPage is how many certificates are listed at once.
const inventoryPlainPage = 20

// inventoryPlain goes through the inventory in numbered lines, for screen readers:
// no colour, and the cursor is never moved. It returns when the user goes back,
// and with an error at the end of input or of ctx.
func inventoryPlain(ctx context.Context, w *world, in io.Reader, out io.Writer) error {
	p := &plainInventory{world: w, plainTalk: w.talk(in, out), raw: in, by: inventoryByEnd}
	p.say("Inventory")
	p.say("A number chooses a certificate, Enter lists the next %d, < those before, s and a column sorts, S turns the order round, / and words filters, q goes back.", inventoryPlainPage)
	p.say("Columns: name, groups, profile, serial, end, state. Filter by %s.", inventoryHelp)
	if err := p.read(ctx); err != nil {
		return err
	}
	p.list()
	for {
		answer, err := p.ask(ctx, "Number, Enter, <, s, S, / or q")
		if err != nil || answer == "q" {
			return err
		}
		if err := p.answer(ctx, answer); err != nil {
			return err
		}
	}
}

// plainInventory is the inventory in lines.
type plainInventory struct {
	*world
	*plainTalk
	raw   io.Reader
	table inventoryTable
	stamp inventoryStamp

	by       inventoryColumn
	backward bool
	filter   inventoryFilter
	shown    []uint32
	first    int // position of the first that was listed
}

// read reads the inventory.
func (p *plainInventory) read(ctx context.Context) error {
	load := startInventoryLoad(ctx, p.Dir, p.Now())
	p.table = newInventoryTable()
	for block := range load.blocks {
		p.table.add(block)
	}
	if load.err != nil {
		p.sayError(load.err)
		return load.err
	}
	p.stamp = load.stamp
	p.arrange()
	return nil
}

// arrange sorts and filters.
func (p *plainInventory) arrange() {
	p.shown = slices.Clone(p.filter.apply(p.table, p.table.order(p.by)))
	if p.backward {
		slices.Reverse(p.shown)
	}
	p.first = 0
}

// list says the certificates of a page.
func (p *plainInventory) list() {
	switch {
	case p.table.count == 0:
		p.say("There are no certificates yet.")
		return
	case len(p.shown) == 0:
		p.say("No certificate matches; / alone takes the filter away.")
		return
	}
	end := min(p.first+inventoryPlainPage, len(p.shown))
	all := number(p.table.count) + " certificates"
	if len(p.shown) != p.table.count {
		all = number(len(p.shown)) + " that match, of " + all
	}
	p.say("%s to %s of %s", number(p.first+1), number(end), all)
	now := p.Now()
	for i := p.first; i < end; i++ {
		p.say("%d. %s", i+1, p.line(p.shown[i], now))
	}
}

// line says a certificate.
func (p *plainInventory) line(number uint32, now time.Time) string {
	block, row := p.table.row(number)
	state := ca.States()[row.state()]
	name := inventoryRaw(block.name(row), 60)
	if file := block.file(row); len(file) > 0 {
		name += " (" + inventoryRaw(file, 60) + ")"
	}
	parts := []string{text(name)}
	if groups := block.groups(row); groups != "" {
		parts = append(parts, "groups "+text(inventoryRaw(groups, 60)))
	}
	if profile := block.profile(row); profile != "" {
		parts = append(parts, text(inventoryRaw(profile, 20)))
	}
	parts = append(parts, string(state))
	left := time.Unix(row.ends, 0).Sub(now)
	switch {
	case state == ca.StateIncomplete:
	case left < 0:
		parts = append(parts, "ended "+ca.FormatLeft(left))
	default:
		parts = append(parts, "ends in "+ca.FormatLeft(left))
	}
	return strings.Join(parts, ", ")
}

// answer does what was typed.
func (p *plainInventory) answer(ctx context.Context, answer string) error {
	word, rest, _ := strings.Cut(answer, " ")
	switch {
	case answer == "":
		if p.first+inventoryPlainPage >= len(p.shown) {
			p.say("That is the end of the list.")
			return nil
		}
		p.first += inventoryPlainPage
	case answer == "<":
		p.first = max(0, p.first-inventoryPlainPage)
	case answer == "S":
		p.backward = !p.backward
		p.arrange()
	case word == "s":
		by, known := inventoryColumnNamed(rest)
		if !known {
			p.say("There is no column %q: say s name, s groups, s profile, s serial, s end or s state.", clip(rest, 40))
			return nil
		}
		p.by, p.backward = by, false
		p.arrange()
	case strings.HasPrefix(answer, "/"):
		if !p.refilter(answer[1:]) {
			return nil
		}
	default:
		number, _ := strconv.Atoi(answer) // 0 is none
		if number < 1 || number > len(p.shown) {
			p.say("There is no certificate %s in the list.", clip(answer, 40))
			return nil
		}
		return p.details(ctx, p.table.id(p.shown[number-1]))
	}
	p.list()
	return nil
}

// refilter takes another filter, if it can be read.
func (p *plainInventory) refilter(typed string) bool {
	filter, err := parseInventoryFilter(typed, p.Now())
	if err != nil {
		p.sayError(err)
		return false
	}
	p.filter = filter
	p.arrange()
	return true
}

// inventoryColumnNamed returns the column that begins with a word.
func inventoryColumnNamed(word string) (inventoryColumn, bool) {
	for by := range inventoryColumnCount {
		if word != "" && strings.HasPrefix(by.title(), strings.ToUpper(word)) {
			return by, true
		}
	}
	return 0, false
}

// details says all that is known of a certificate, and asks what to do with it.
func (p *plainInventory) details(ctx context.Context, id inventoryID) error {
	detail, err := ca.Look(ctx, ca.LookOptions{Dir: p.Dir, Serial: id.serial, IssuerID: id.issuer, Now: p.Now()})
	if err != nil {
		p.sayError(err)
		return ctx.Err()
	}
	for _, section := range inventorySections(p.world, detail) {
		if section.title != "" {
			p.say("%s:", section.title)
		}
		for _, r := range someRows(section.rows...) {
			p.say("%s: %s", r.label, text(r.value))
		}
		for _, note := range section.notes {
			p.say("%s", text(note))
		}
	}
	for {
		answer, err := p.ask(ctx, "r renews it, v revokes it, x exports it, Enter goes back to the list")
		if err != nil {
			return err
		}
		if answer == "" {
			p.list()
			return nil
		}
		newFlow := map[string]func() flow{
			"r": func() flow { return newFlowRenew(p.world, id) },
			"v": func() flow { return newFlowRevoke(p.world, id) },
			"x": func() flow { return newFlowExport(p.world, id) },
		}[answer]
		if newFlow == nil {
			p.say("There is no answer %s.", clip(answer, 40))
			continue
		}
		return p.do(ctx, newFlow())
	}
}

// do goes through a flow. What went wrong in it was said there.
func (p *plainInventory) do(ctx context.Context, f flow) error {
	if err := formPlain(ctx, p.world, f, p.raw, p.out); err != nil && (ctx.Err() != nil || errors.Is(err, io.EOF)) {
		return err
	}
	if inventoryStampOf(p.Dir) == p.stamp {
		return nil
	}
	first := p.first
	if err := p.read(ctx); err != nil {
		return err
	}
	if first < len(p.shown) {
		p.first = first
	}
	p.list()
	return nil
}
