package csr_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/failure"
)

func TestReadUsers(t *testing.T) {
	t.Parallel()
	defaults := csr.UserGrant{Groups: []string{"all"}, Namespace: "dev", Role: "view", Seconds: 3600, Via: csr.ViaCSR}
	lines, err := csr.ReadUsers(strings.NewReader("\ufeffName, Groups,for,cluster-role\r\n# nobody\n\njane,a; b,8h,\njoe,,,edit\n\"ann\",,,\njoe,,,\nx,y\nbad name,,,\n=1,,,\nkim,,never,\n\"lou,,,\n"), "users.csv", defaults)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"4 jane [a b] dev view  28800 ", "5 joe [all] dev  edit 3600 ", "6 ann [all] dev view  3600 ", "7 line 5 names user", "8 it has 2 columns",
		"9 white space", "10 formula", "11 validity", "12 it is not CSV",
	}
	for i, line := range lines {
		g := line.Grant
		got := fmt.Sprint(line.Number, " ", g.Name)
		if line.Err == nil {
			got += fmt.Sprint(" ", g.Groups, " ", g.Namespace, " ", g.Role, " ", g.ClusterRole, " ", g.Seconds, " ")
			if got != want[i] {
				t.Errorf("%q, want %q", got, want[i])
			}
			continue
		}
		number, says, _ := strings.Cut(want[i], " ")
		if number != fmt.Sprint(line.Number) || !strings.Contains(line.Err.Error(), says) || failure.HintOf(line.Err) == "" {
			t.Errorf("%q: %v, want %q", got, line.Err, want[i])
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d lines", len(lines))
	}
}

func FuzzReadUsers(f *testing.F) {
	f.Add("name,group\njane,a;b\n")
	f.Add("\ufeffname,for,cluster-role,role\r\njane,8h,view,\n\"x")
	f.Add("name,name\n")
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := csr.ReadUsers(strings.NewReader(text), "x.csv", csr.UserGrant{Seconds: 3600, Via: csr.ViaCSR})
		if err != nil {
			if failure.HintOf(err) == "" {
				t.Errorf("%q: no hint: %v", text, err)
			}
			return
		}
		seen := map[string]bool{}
		for _, line := range lines {
			if line.Err != nil {
				continue
			}
			path := csr.UserFile("dir", line.Grant.Name)
			if seen[line.Grant.Name] || line.Grant.Check() != nil || strings.Count(path, "/") != 1 {
				t.Errorf("%q: %+v in %s", text, line.Grant, path)
			}
			seen[line.Grant.Name] = true
		}
	})
}
