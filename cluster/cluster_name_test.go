package cluster

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var kubeconfigNames = []string{NameAdmin, NameSuperAdmin, NameKubelet, nameControllerManager, nameScheduler}

// TestOtherClusterName: who gives another name to a cluster that is there is told
// which files have the old one, and --repair makes them anew.
func TestOtherClusterName(t *testing.T) {
	t.Parallel()
	for _, has := range []string{"cluster.yaml", "no cluster.yaml"} {
		t.Run(has, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := initOptions(dir)
			testInit(t, o)
			if o.FromFiles = has != "cluster.yaml"; o.FromFiles {
				removed(SettingsFile)(t, dir)
			}
			before := filesOf(t, dir)
			o.Settings.Name = "prod"
			result := testInit(t, o)
			for _, d := range result.Differences {
				if d.Field != FieldCluster || d.Wanted != "prod" || d.Found != "kubernetes" {
					t.Errorf("%s", d)
				}
			}
			if names := states(result, StateWrong); !slices.Equal(names, kubeconfigNames) {
				t.Errorf("these are wrong: %q", names)
			}
			if list := changed(before, filesOf(t, dir)); list != nil {
				t.Errorf("these changed: %q", list)
			}
			o.Repair = true
			if names := states(testInit(t, o), StateRepaired); !slices.Equal(names, kubeconfigNames) {
				t.Errorf("these were repaired: %q", names)
			}
			o.Repair = false
			if names := states(testInit(t, o), StateKept); len(names) != 16 {
				t.Errorf("these are right now: %q", names)
			}
		})
	}
}

// TestClusterNameOfItsOwn: a name that somebody has changed in one kubeconfig is
// no finding where nobody says another, and none that counts otherwise; a
// context may be called anything.
func TestClusterNameOfItsOwn(t *testing.T) {
	t.Parallel()
	otherCluster := strings.NewReplacer("cluster: kubernetes", "cluster: mine", "  name: kubernetes\n", "  name: mine\n")
	otherContext := strings.NewReplacer("kubernetes-admin@kubernetes", "mine")
	for _, test := range []struct {
		what, name         string
		edit               *strings.Replacer
		fromFiles          bool
		differences, notes int
	}{
		{"nobody says a name", "", otherCluster, false, 0, 0},
		{"the settings say one", "kubernetes", otherCluster, false, 1, 1},
		{"most files say one", "kubernetes", otherCluster, true, 0, 0},
		{"another context", "kubernetes", otherContext, false, 0, 0},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := initOptions(dir)
			o.Settings.Name = test.name
			testInit(t, o)
			edited(NameAdmin, test.edit.Replace)(t, dir)
			if o.FromFiles = test.fromFiles; o.FromFiles {
				removed(SettingsFile)(t, dir)
			}
			if list := testInit(t, o).Differences; len(list) != test.differences {
				t.Errorf("%q", list)
			}
			report, err := Check(t.Context(), CheckOptions{Dir: dir, Now: initNow})
			if err != nil {
				t.Fatal(err)
			}
			notes := 0
			for _, f := range report.Findings {
				if f.Level == LevelFail {
					t.Errorf("%s", f)
				}
				if f.Field == FieldCluster && f.File == filepath.Join(dir, NameAdmin) {
					notes++
				}
			}
			if notes != test.notes {
				t.Errorf("%d notes, want %d: %v", notes, test.notes, report.Findings)
			}
		})
	}
}
