package tui

import (
	"image/color"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
)

// luminance is that of WCAG 2.2.
func luminance(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	linear := func(v uint32) float64 {
		s := float64(v) / 0xffff
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

func contrast(a, b color.Color) float64 {
	light, dark := luminance(a), luminance(b)
	return (max(light, dark) + 0.05) / (min(light, dark) + 0.05)
}

// textColours are those of a palette in which something is written.
func textColours(p palette) map[string]string {
	return map[string]string{"accent": p.accent, "faint": p.faint, "good": p.good, "warn": p.warn, "bad": p.bad}
}

// TestContrast computes what WCAG 2.2 (1.4.3) asks for, on the backgrounds that
// terminals and their best known themes have.
func TestContrast(t *testing.T) {
	t.Parallel()
	for isDark, backgrounds := range map[bool][]string{
		true:  {"#000000", "#1e1e1e", "#002b36", "#282c34"},
		false: {"#ffffff", "#fafafa", "#fdf6e3"},
	} {
		p := colours256(isDark)
		for name, number := range textColours(p) {
			for _, background := range backgrounds {
				if got := contrast(lipgloss.Color(number), lipgloss.Color(background)); got < 4.5 {
					t.Errorf("%s (%s) on %s: %.2f", name, number, background, got)
				}
			}
		}
		if got := contrast(lipgloss.Color(p.onRow), lipgloss.Color(p.row)); got < 4.5 {
			t.Errorf("row, dark %v: %.2f", isDark, got)
		}
	}
}

// TestContrast16 has the colours of xterm: red, blue and magenta are read on both
// backgrounds, as far as any of the sixteen is.
func TestContrast16(t *testing.T) {
	t.Parallel()
	xterm := map[string]string{"1": "#cd0000", "2": "#00cd00", "5": "#cd00cd", "9": "#ff0000", "12": "#5c5cff"}
	black, white := lipgloss.Color("#000000"), lipgloss.Color("#ffffff")
	for isDark, backgrounds := range map[bool][]color.Color{true: {black, white}, false: {black, white}} {
		for name, number := range textColours(colours16(isDark)) {
			if number == "" {
				continue
			}
			for _, background := range backgrounds {
				if name == "good" && background == white { // only where the background is dark
					continue
				}
				if got := contrast(lipgloss.Color(xterm[number]), background); got < 3.9 {
					t.Errorf("%s (%s), dark %v: %.2f", name, number, isDark, got)
				}
			}
		}
	}
}

// samples are all styles of a theme, drawn.
func samples(t *theme) map[string]string {
	drawn := map[string]string{}
	v := reflect.ValueOf(*t)
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.IsExported() {
			drawn[field.Name] = v.Field(i).Interface().(lipgloss.Style).Render("text")
		}
	}
	return drawn
}

var (
	sgr      = regexp.MustCompile(`\x1b\[([0-9;]*)m`)
	sgrParts = regexp.MustCompile(`[34]8;[25];[0-9;]*|[0-9]+`)
)

// colourCodes returns the parts of SGR sequences that set a colour, as one each.
func colourCodes(s string) []string {
	var codes []string
	for _, match := range sgr.FindAllStringSubmatch(s, -1) {
		for _, code := range sgrParts.FindAllString(match[1], -1) {
			if n, err := strconv.Atoi(code); err != nil || n >= 30 {
				codes = append(codes, code)
			}
		}
	}
	return codes
}

func isOf16(code string) bool {
	n, err := strconv.Atoi(code)
	return err == nil && (n >= 30 && n <= 49 || n >= 90 && n <= 107)
}

func TestThemeOfProfile(t *testing.T) {
	t.Parallel()
	for _, isDark := range []bool{true, false} {
		for name, drawn := range samples(themeFor(isDark, colorprofile.ASCII)) {
			if codes := colourCodes(drawn); codes != nil {
				t.Errorf("without colours, %s: %q", name, drawn)
			}
		}
		sixteen, many := 0, 0
		for name, drawn := range samples(themeFor(isDark, colorprofile.ANSI)) {
			for _, code := range colourCodes(drawn) {
				sixteen++
				if !isOf16(code) {
					t.Errorf("of 16 colours, %s: %q", name, drawn)
				}
			}
		}
		for _, drawn := range samples(newTheme(isDark)) {
			many += len(colourCodes(drawn))
		}
		if sixteen == 0 || many == 0 {
			t.Errorf("dark %v: %d of 16 colours, %d of 256", isDark, sixteen, many)
		}
	}
	if plain := themeFor(true, colorprofile.ASCII); plain.Bad.Render("x") == plain.Text.Render("x") || plain.Selected.Render("x") == plain.Text.Render("x") {
		t.Error("without colours, what is bad or selected looks like other text")
	}
}

func TestProfileOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		environ []string
		want    colorprofile.Profile
	}{
		{[]string{"TERM=xterm-256color"}, colorprofile.ANSI256},
		{[]string{"TERM=linux"}, colorprofile.ANSI},
		{[]string{"TERM=xterm-256color", "NO_COLOR=yes"}, colorprofile.ASCII},
		{[]string{"TERM=xterm-256color", "NO_COLOR="}, colorprofile.ANSI256},
		{[]string{"TERM=xterm", "COLORTERM=truecolor"}, colorprofile.TrueColor},
		{[]string{"TERM=dumb"}, colorprofile.NoTTY},
	} {
		if got := profileOf(test.environ); got != test.want {
			t.Errorf("%q: %v, want %v", test.environ, got, test.want)
		}
	}
}
