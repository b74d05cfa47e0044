package cluster

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// initNow is when the PKIs of these tests are made.
var initNow = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// initOptions are those of a cluster with one node.
func initOptions(dir string) InitOptions {
	return InitOptions{Dir: dir, Settings: Settings{Nodes: []NodeSettings{{"cp-1", "10.0.0.11"}}, SANs: []string{"api.example.com"}}, Now: initNow}
}

func testInit(t *testing.T, o InitOptions) *InitResult {
	t.Helper()
	result, err := Init(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// states lists the entries in a state, by name.
func states(result *InitResult, state State) []string {
	var names []string
	for _, node := range result.Nodes {
		for _, entry := range node.Entries {
			if entry.State == state {
				names = append(names, entry.Name)
			}
		}
	}
	return names
}

// filesOf reads all files below a directory but those of the store.
func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".staging":
			return fs.SkipDir
		case entry.IsDir(), strings.HasPrefix(entry.Name(), "inventory.db"), entry.Name() == ".lock":
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, _ := os.ReadFile(path) // of a dangling link there is none
		files[filepath.ToSlash(rel)] = fmt.Sprintf("%v %s", info.Mode(), data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// changed lists the files that differ.
func changed(before, after map[string]string) []string {
	var list []string
	for path := range after {
		if before[path] != after[path] {
			list = append(list, path)
		}
	}
	for path := range before {
		if _, is := after[path]; !is {
			list = append(list, path)
		}
	}
	slices.Sort(list)
	return list
}

func entryOf(t *testing.T, name string) Entry {
	t.Helper()
	entry, isThere := EntryNamed(name)
	if !isThere {
		t.Fatalf("no entry %s", name)
	}
	return entry
}

const otherContext = "contexts:\n- context:\n    cluster: kubernetes\n    user: kubernetes-admin\n    namespace: mine\n  name: mine\n"

// repairs are damages, what is said of them, and what a repair changes.
var repairs = []struct {
	name     string
	spoil    damage
	fields   []Field  // of the differences, in order
	file     string   // of the first
	repaired []string // files that change
	refused  string   // why nothing is repaired
}{
	{"name", forged("apiserver", wrongName), []Field{FieldCN}, "pki/apiserver.crt", pair("apiserver"), ""},
	{"name of a client", forged("front-proxy-client", wrongName), []Field{FieldCN}, "pki/front-proxy-client.crt", pair("front-proxy-client"), ""},
	{"name of etcd", forged("etcd/peer", wrongName), []Field{FieldCN}, "pki/etcd/peer.crt", pair("etcd/peer"), ""},
	{"name in a kubeconfig", forged("admin.conf", wrongName), []Field{FieldCN}, "admin.conf", []string{"admin.conf"}, ""},
	{"name of a node", forged("kubelet.conf", func(c *x509.Certificate) { c.Subject.CommonName = "system:node:cp-2" }), []Field{FieldCN}, "kubelet.conf", []string{"kubelet.conf"}, ""},
	{"groups", forged("apiserver-kubelet-client", wrongGroup), []Field{FieldO}, "pki/apiserver-kubelet-client.crt", pair("apiserver-kubelet-client"), ""},
	{"groups in a kubeconfig", forged("admin.conf", wrongGroup), []Field{FieldO}, "admin.conf", []string{"admin.conf"}, ""},
	{"group too many", forged("scheduler.conf", wrongGroup), []Field{FieldO}, "scheduler.conf", []string{"scheduler.conf"}, ""},
	{"no usage", forged("apiserver", noUsage), []Field{FieldEKU}, "pki/apiserver.crt", pair("apiserver"), ""},
	{"any usage", forged("apiserver-etcd-client", anyUsage), []Field{FieldEKU}, "pki/apiserver-etcd-client.crt", pair("apiserver-etcd-client"), ""},
	{"half the usage", forged("etcd/server", func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] }), []Field{FieldEKU}, "pki/etcd/server.crt", pair("etcd/server"), ""},
	{"usage in a kubeconfig", forged("controller-manager.conf", swappedUsage), []Field{FieldEKU}, "controller-manager.conf", []string{"controller-manager.conf"}, ""},
	{"names", forged("apiserver", lostNames), []Field{FieldSAN}, "pki/apiserver.crt", pair("apiserver"), ""},
	{"names of etcd", forged("etcd/server", lostNames), []Field{FieldSAN}, "pki/etcd/server.crt", pair("etcd/server"), ""},
	{"names, groups and usage", forged("etcd/peer", func(c *x509.Certificate) { wrongName(c); wrongGroup(c); noUsage(c); lostNames(c); expired(c) }),
		[]Field{FieldCN, FieldO, FieldEKU, FieldSAN, FieldEnd}, "pki/etcd/peer.crt", pair("etcd/peer"), ""},
	{"another CA of that name", forgedBy("apiserver", unchanged), []Field{FieldCA}, "pki/apiserver.crt", pair("apiserver"), ""},
	{"another of the CAs", copiedFrom("pki/front-proxy-client.crt", "pki/etcd/healthcheck-client.crt"), []Field{FieldCN, FieldCA, FieldKey}, "pki/etcd/healthcheck-client.crt", pair("etcd/healthcheck-client"), ""},
	{"another CA in a kubeconfig", other("admin.conf"), []Field{FieldCA, FieldCA}, "admin.conf", []string{"admin.conf"}, ""},
	{"a CA's", forged("apiserver", isCA), []Field{FieldCA}, "pki/apiserver.crt", pair("apiserver"), ""},
	{"another key", copiedFrom("pki/etcd/peer.key", "pki/etcd/server.key"), []Field{FieldKey}, "pki/etcd/server.key", pair("etcd/server"), ""},
	{"another key in a kubeconfig", edited("admin.conf", func(s string) string { return swapKey(s) }), []Field{FieldKey}, "admin.conf", []string{"admin.conf"}, ""},
	{"expired", forged("apiserver", expired), []Field{FieldEnd}, "pki/apiserver.crt", pair("apiserver"), ""},
	{"expired in a kubeconfig", forged("scheduler.conf", expired), []Field{FieldEnd}, "scheduler.conf", []string{"scheduler.conf"}, ""},
	{"not yet valid", forged("apiserver", early), []Field{FieldBegin}, "pki/apiserver.crt", pair("apiserver"), ""},
	{"half a certificate", halved("pki/apiserver.crt"), []Field{FieldFile}, "pki/apiserver.crt", pair("apiserver"), ""},
	{"half a key", halved("pki/apiserver.key"), []Field{FieldFile}, "pki/apiserver.key", pair("apiserver"), ""},
	{"half a kubeconfig", halved("admin.conf"), []Field{FieldFile}, "admin.conf", []string{"admin.conf"}, ""},
	{"empty certificate", emptied("pki/etcd/peer.crt"), []Field{FieldFile}, "pki/etcd/peer.crt", pair("etcd/peer"), ""},
	{"empty key", emptied("pki/etcd/peer.key"), []Field{FieldFile}, "pki/etcd/peer.key", pair("etcd/peer"), ""},
	{"empty kubeconfig", emptied("kubelet.conf"), []Field{FieldFile}, "kubelet.conf", []string{"kubelet.conf"}, ""},
	{"noise for a certificate", overwritten("pki/apiserver.crt"), []Field{FieldFile}, "pki/apiserver.crt", pair("apiserver"), ""},
	{"noise for a key", overwritten("pki/apiserver.key"), []Field{FieldFile}, "pki/apiserver.key", pair("apiserver"), ""},
	{"noise for a kubeconfig", overwritten("admin.conf"), []Field{FieldFile}, "admin.conf", []string{"admin.conf"}, ""},
	{"certificate in DER", edited("pki/apiserver.crt", func(s string) string { return der(s) }), []Field{FieldFile}, "pki/apiserver.crt", pair("apiserver"), ""},
	{"no key", removed("pki/apiserver.key"), []Field{FieldFile}, "pki/apiserver.key", pair("apiserver"), ""},
	{"no certificate", removed("pki/etcd/server.crt"), []Field{FieldFile}, "pki/etcd/server.crt", pair("etcd/server"), ""},
	{"key of a wrong kind", forgedFor("apiserver", newEd25519), []Field{FieldKey}, "pki/apiserver.key", pair("apiserver"), ""},
	{"key of a wrong kind in a kubeconfig", forgedFor("admin.conf", newEd25519), []Field{FieldKey}, "admin.conf", []string{"admin.conf"}, ""},
	{"key that is too short", forgedFor("apiserver", newRSA1024), []Field{FieldKey}, "pki/apiserver.key", pair("apiserver"), ""},
	{"server", replaced("admin.conf", "https://10.0.0.11:6443", "https://10.0.0.12:6443"), []Field{FieldServer}, "admin.conf", []string{"admin.conf"}, ""},
	{"server of another port", replaced("scheduler.conf", ":6443", ":6444"), []Field{FieldServer}, "scheduler.conf", []string{"scheduler.conf"}, ""},
	{"no server", replaced("admin.conf", "server: https://10.0.0.11:6443", `server: ""`), []Field{FieldServer}, "admin.conf", []string{"admin.conf"}, ""},
	{"no trust", edited("admin.conf", func(s string) string { return without(s, "certificate-authority-data") }), []Field{FieldCA}, "admin.conf", []string{"admin.conf"}, ""},
	{"no client certificate", edited("admin.conf", func(s string) string { return without(without(s, "client-certificate-data"), "client-key-data") }), []Field{FieldFile}, "admin.conf", []string{"admin.conf"}, ""},
	{"no client key", edited("admin.conf", func(s string) string { return without(s, "client-key-data") }), []Field{FieldKey}, "admin.conf", []string{"admin.conf"}, ""},
	{"other context", replaced("admin.conf", "current-context: kubernetes-admin@kubernetes", "current-context: nobody"), []Field{FieldFile}, "admin.conf", []string{"admin.conf"}, ""},
	{"other names", all(replaced("admin.conf", "kubernetes-admin", "boss"), replaced("admin.conf", "6443", "6444")), []Field{FieldServer}, "admin.conf", []string{"admin.conf"}, ""},
	{"other people's context", all(replaced("admin.conf", "contexts:\n", otherContext), replaced("admin.conf", "6443", "6444")), []Field{FieldServer}, "admin.conf", nil,
		"it holds several clusters, users or contexts"},
	{"sa.pub is another's", other("pki/sa.pub"), []Field{FieldKey}, "pki/sa.pub", []string{"pki/sa.pub"}, ""},
	{"no sa.pub", removed("pki/sa.pub"), []Field{FieldFile}, "pki/sa.pub", []string{"pki/sa.pub"}, ""},
	{"half of sa.pub", halved("pki/sa.pub"), []Field{FieldFile}, "pki/sa.pub", []string{"pki/sa.pub"}, ""},
	{"empty sa.pub", emptied("pki/sa.pub"), []Field{FieldFile}, "pki/sa.pub", []string{"pki/sa.pub"}, ""},
	{"two others in sa.pub", all(other("pki/sa.pub"), edited("pki/sa.pub", func(s string) string { return s + s })), []Field{FieldKey}, "pki/sa.pub", nil, "holds 2 keys"},
	{"no sa.key", removed("pki/sa.key"), []Field{FieldFile}, "pki/sa.key", nil, "the key of service accounts is not made anew"},
	{"half of sa.key", halved("pki/sa.key"), []Field{FieldFile}, "pki/sa.key", nil, "the key of service accounts is not made anew"},
	{"sa.key of a wrong kind", all(writtenKey("pki/sa.key", newEd25519), removed("pki/sa.pub")), []Field{FieldFile, FieldKey}, "pki/sa.pub", nil, "the key of service accounts is not made anew"},
	{"sa.key that is too short", writtenKey("pki/sa.key", newRSA1024), []Field{FieldKey, FieldKey}, "pki/sa.pub", nil, "the key of service accounts is not made anew"},
	{"CA expired", forged(NameFrontProxyCA, expired), []Field{FieldEnd, FieldCA}, "pki/front-proxy-ca.crt", nil, "a CA is not repaired"},
	{"CA not yet valid", forged(NameEtcdCA, early), []Field{FieldBegin, FieldCA, FieldCA, FieldCA, FieldCA}, "pki/etcd/ca.crt", nil, "a CA is not repaired"},
	{"CA that is none", forged(NameFrontProxyCA, noCA), []Field{FieldFile, FieldCA}, "pki/front-proxy-ca.crt", nil, "a CA is not repaired"},
	{"CA of another cluster", other("pki/front-proxy-ca.crt", "pki/front-proxy-ca.key"), []Field{FieldCA}, "pki/front-proxy-client.crt", pair("front-proxy-client"), ""},
	{"cluster's CA of another", other("pki/ca.crt", "pki/ca.key"), slices.Repeat([]Field{FieldCA}, 12), "pki/apiserver.crt", nil, "has signed nothing of what is here"},
	{"CA with a short key", forgedFor(NameFrontProxyCA, newRSA1024), []Field{FieldKey, FieldCA}, "pki/front-proxy-ca.key", nil, "a CA is not repaired"},
	{"CA with a key of a wrong kind", forgedFor(NameFrontProxyCA, newEd25519), []Field{FieldKey, FieldCA}, "pki/front-proxy-ca.key", nil, "a CA is not repaired"},
	{"CA key of another", copiedFrom("pki/etcd/ca.key", "pki/front-proxy-ca.key"), []Field{FieldKey}, "pki/front-proxy-ca.key", nil, "a CA is not repaired"},
	{"half a CA key", halved("pki/ca.key"), []Field{FieldFile}, "pki/ca.key", nil, "a CA is not repaired"},
	{"half a CA", halved("pki/ca.crt"), []Field{FieldFile}, "pki/ca.crt", nil, "a CA is not repaired"},
	{"CA key alone", removed("pki/etcd/ca.crt"), []Field{FieldFile}, "pki/etcd/ca.crt", nil, "a CA is not repaired"},
	{"no CA", removed("pki/ca.crt", "pki/ca.key"), nil, "", nil, `ca.crt" is missing, which has signed`},
	{"no etcd CA", removed("pki/etcd/ca.crt", "pki/etcd/ca.key"), nil, "", nil, `ca.crt" is missing, which has signed`},
	{"no key of the CA that has to sign", all(forged("apiserver", expired), removed("pki/ca.key")), []Field{FieldEnd}, "pki/apiserver.crt", nil, "is not here, and these need it: apiserver"},
	{"no key of another CA", all(forged("apiserver", expired), removed("pki/etcd/ca.key")), []Field{FieldEnd}, "pki/apiserver.crt", pair("apiserver"), ""},
	{"damaged chain", func(t *testing.T, dir string) {
		testWrite(t, filepath.Join(dir, "pki", "ca-chain.crt"), []byte("noise"))
	}, []Field{FieldFile}, "pki/ca.crt", nil, "a CA is not repaired"},
}

func pair(name string) []string { return []string{"pki/" + name + ".crt", "pki/" + name + ".key"} }

func TestRepair(t *testing.T) {
	t.Parallel()
	for _, test := range repairs {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := initOptions(dir)
			testInit(t, o)
			test.spoil(t, dir)
			before := filesOf(t, dir)

			result, err := Init(t.Context(), o)
			if test.fields != nil {
				if err != nil {
					t.Fatal(err)
				}
				var fields []Field
				for _, d := range result.Differences {
					fields = append(fields, d.Field)
				}
				if !slices.Equal(fields, test.fields) || !strings.HasSuffix(filepath.ToSlash(result.Differences[0].File), "/"+test.file) {
					t.Errorf("said %q", result.Differences)
				}
			} else if err == nil {
				t.Error("nothing is said")
			}
			if list := changed(before, filesOf(t, dir)); list != nil {
				t.Errorf("without --repair these changed: %q", list)
			}

			o.Repair = true
			result, err = Init(t.Context(), o)
			after := filesOf(t, dir)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("wanted a refusal, got %v", err)
				}
				if list := changed(before, after); list != nil {
					t.Errorf("refused, and yet these changed: %q", list)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if list := changed(before, after); !slices.Equal(list, test.repaired) {
				t.Errorf("changed %q, wanted %q", list, test.repaired)
			}
			if list := states(result, StateRepaired); len(list) != 1 {
				t.Errorf("repaired %q", list)
			}
			o.Repair = false
			if result := testInit(t, o); len(states(result, StateKept)) != len(Layout()) {
				t.Errorf("after the repair: %+v", result.Differences)
			}
		})
	}
}

// TestRepairKeeps: more names, and the kind of key, outlive a repair; names that
// another CA has vouched for do not.
func TestRepairKeeps(t *testing.T) {
	t.Parallel()
	more := func(c *x509.Certificate) {
		c.Subject.CommonName = "mallory"
		c.DNSNames = append(c.DNSNames, "more.example.com")
		c.IPAddresses = append(c.IPAddresses, net.ParseIP("192.0.2.7"), net.ParseIP("2001:db8::7"))
	}
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		keeps bool
	}{
		{"ours", func(t *testing.T, dir string) {
			key, err := ca.GenerateKey(ca.RSA2048)
			if err != nil {
				t.Fatal(err)
			}
			forge(t, dir, "apiserver", dir, key, more)
		}, true},
		{"another CA's", forgedBy("apiserver", more), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := initOptions(dir)
			testInit(t, o)
			test.spoil(t, dir)
			o.Repair = true
			testInit(t, o)
			cert := Find(dir, entryOf(t, "apiserver")).Certificate
			names := ca.SANsOf(cert).Strings()
			for _, name := range []string{"more.example.com", "192.0.2.7", "2001:db8::7"} {
				if slices.Contains(names, name) != test.keeps {
					t.Errorf("names are %q", names)
				}
			}
			if _, isRSA := cert.PublicKey.(*rsa.PublicKey); isRSA != test.keeps {
				t.Errorf("the key is %T", cert.PublicKey)
			}
			if _, isEd := cert.PublicKey.(ed25519.PublicKey); isEd {
				t.Error("an Ed25519 key")
			}
		})
	}
}

// TestInitClock: a clock that is slow or fast is found, and nothing is made in
// a time that a CA does not cover.
func TestInitClock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := initOptions(dir)
	testInit(t, o)
	before := filesOf(t, dir)
	for _, test := range []struct {
		shift time.Duration
		field Field
		count int
	}{{-time.Hour, FieldBegin, 15}, {366 * 24 * time.Hour, FieldEnd, 12}, {11 * ca.Year, FieldEnd, 15}} {
		o := o
		o.Now = initNow.Add(test.shift)
		result := testInit(t, o)
		if len(result.Differences) != test.count || result.Differences[0].Field != test.field {
			t.Errorf("%s later: %d differences: %v", test.shift, len(result.Differences), result.Differences)
		}
		o.Repair = true
		_, err := Init(t.Context(), o)
		if isCA := test.count == 15; isCA != (err != nil && strings.Contains(err.Error(), "a CA is not repaired")) {
			t.Errorf("%s later: %v", test.shift, err)
		} else if isCA {
			if list := changed(before, filesOf(t, dir)); list != nil {
				t.Errorf("changed %q", list)
			}
			continue
		}
		if result := testInit(t, InitOptions{Dir: dir, Settings: o.Settings, Now: o.Now}); result.Differences != nil {
			t.Error(result.Differences)
		}
		before = filesOf(t, dir)
	}
	// In the last year of the CAs the others end with them.
	o.Now, o.Repair = initNow.Add(DefaultCAValidity-time.Hour), true
	result := testInit(t, o)
	if len(result.Warnings) != 12 || !strings.Contains(result.Warnings[0], "ends with its CA") {
		t.Errorf("warnings %q", result.Warnings)
	}
	for _, node := range result.Nodes {
		for _, entry := range node.Entries {
			if entry.NotAfter != nil && entry.NotAfter.After(initNow.Add(DefaultCAValidity)) {
				t.Errorf("%s ends on %s", entry.Name, entry.NotAfter)
			}
		}
	}
}
