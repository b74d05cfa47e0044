package audit

import "testing"

// TestPresetsAreClean: of what audit generate writes there is nothing to say but
// what it costs.
func TestPresetsAreClean(t *testing.T) {
	t.Parallel()
	if len(Presets()) < 4 {
		t.Fatalf("only %d presets", len(Presets()))
	}
	for _, preset := range Presets() {
		data, err := Generate(Options{Preset: preset.Name})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := Lint(preset.Name, data)
		if err != nil || Fails(findings) {
			t.Errorf("%s: %v\n%+v\n%s", preset.Name, err, findings, data)
		}
		t.Logf("%s: %s", preset.Name, places(findings))
	}
}
