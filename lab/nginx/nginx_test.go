//go:build unix

package nginx

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func memory(files map[string]string) Files {
	return Files{
		Read: func(name string) ([]byte, error) {
			text, ok := files[name]
			if !ok {
				return nil, fmt.Errorf("no file %s", name)
			}
			return []byte(text), nil
		},
		List: func(dir string) []string {
			seen := map[string]bool{}
			for name := range files {
				if below, ok := strings.CutPrefix("/"+name, strings.TrimSuffix("/"+dir, "/")+"/"); ok {
					name, _, _ := strings.Cut(below, "/")
					seen[name] = true
				}
			}
			var names []string
			for name := range seen {
				names = append(names, name)
			}
			slices.Sort(names)
			return names
		},
	}
}

// pair is a certificate with its key.
func pair(t testing.TB, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func program(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("/usr/sbin/nginx")
	if err != nil {
		t.Fatalf("%v; on Debian: apt-get install nginx-light", err)
	}
	return path
}

const (
	securely = "listen 443 ssl; server_name app.example.com; ssl_certificate tls/app.crt; ssl_certificate_key /etc/nginx/tls/app.key; root /srv/app;"
	redirect = "server { listen 80; server_name app.example.com; return 301 https://$host$request_uri; }\n"
)

// TestAgainstNginx holds the answers that are computed against those of nginx.
func TestAgainstNginx(t *testing.T) {
	t.Parallel()
	nginx := program(t)
	cert, key := pair(t, "app")
	for name, text := range map[string]string{
		"plain":                  redirect + "server { " + securely + " add_header X-A 1; }",
		"always":                 redirect + "server { " + securely + " add_header X-A 1 always; }",
		"location's own":         "server { " + securely + " add_header X-A 1 always; location / { add_header X-B 2; } }",
		"location's own always":  "server { " + securely + " add_header X-A 1 always; location /none { add_header X-B 2 always; } }",
		"of http":                "add_header X-A 1 always;\nserver { " + securely + " }",
		"of http and server":     "add_header X-A 1 always;\nserver { " + securely + " add_header X-B 2; }",
		"exact":                  "server { " + securely + " location = / { add_header X-A 1; } location /index.html { add_header X-B 2; } }",
		"exact alone":            "server { " + securely + " add_header X-C 3; location = / { add_header X-A 1; } }",
		"patterns":               `server { ` + securely + ` location ~ \.html$ { add_header X-A 1; } location ^~ /none { add_header X-B 2 always; } location ~* NONE { add_header X-C 3 always; } }`,
		"nested":                 "server { " + securely + " location / { add_header X-A 1 always; location /none { add_header X-B 2 always; } } }",
		"return with text":       "server { " + securely + " add_header X-A 1; return 200 'hello'; }",
		"return of an error":     "server { " + securely + " add_header X-A 1; location /none { return 403; } location / { return 204; } }",
		"return in a location":   redirect + "server { " + securely + " location /none { return 302 /other; } }",
		"try_files":              "server { " + securely + " add_header X-A 1 always; location / { try_files $uri $uri/ =404; } }",
		"try_files of one page":  "server { " + securely + " add_header X-A 1; location / { try_files $uri $uri/ /index.html; } }",
		"try_files by name":      "server { " + securely + " location / { try_files $uri @other; } location @other { add_header X-A 1 always; return 404; } }",
		"error page":             "server { " + securely + " add_header X-A 1; error_page 404 /index.html; }",
		"error page missing":     "server { " + securely + " add_header X-A 1 always; error_page 404 /404.html; location = /404.html { add_header X-B 2 always; internal; } }",
		"error page changed":     "server { " + securely + " add_header X-A 1; error_page 404 =200 /index.html; }",
		"no index":               "server { " + securely + " index start.html; add_header X-A 1 always; }",
		"two names":              "server { " + securely + " add_header X-A 1; } server { listen 443 ssl; server_name other.example.com; ssl_certificate tls/app.crt; ssl_certificate_key tls/app.key; add_header X-B 2; }",
		"default server":         "server { listen 443 ssl; server_name _; ssl_certificate tls/app.crt; ssl_certificate_key tls/app.key; add_header X-B 2; } server { listen 443 ssl default_server; server_name x; ssl_certificate tls/app.crt; ssl_certificate_key tls/app.key; add_header X-A 1; }",
		"wildcard":               "server { listen 443 ssl; server_name b; ssl_certificate tls/app.crt; ssl_certificate_key tls/app.key; } server { listen 443 ssl; listen [::]:443 ssl; server_name *.example.com; ssl_certificate tls/app.crt; ssl_certificate_key tls/app.key; add_header X-A 1; }",
		"one server for both":    "server { listen 80; " + securely + " add_header X-A 1; }",
		"http alone":             "server { listen 80; server_name app.example.com; add_header X-A 1; }",
		"TLS without ssl":        "server { listen 443; server_name app.example.com; add_header X-A 1; }",
		"redirect by address":    "server { listen 0.0.0.0:80; return 308 https://app.example.com$request_uri; } server { " + securely + " }",
		"redirect by scheme":     "server { return 301 https://$server_name$uri$is_args$args; server_name app.example.com; } server { " + securely + " }",
		"if of a name":           "server { listen 80; if ($host = app.example.com) { return 301 https://$host$request_uri; } return 404; } server { " + securely + " }",
		"if of the scheme":       "server { listen 80; " + securely + " add_header X-A 1; if ($scheme != https) { return 301 https://$host$request_uri; } location /none { add_header X-B 2; if ( $uri = /none ) { return 302 /other; } } }",
		"quotes":                 `server { ` + securely + ` add_header "X-A" "a \"b\" 'c'; d" always; add_header X-B 'x y' ; # no` + "\n}",
		"escapes":                `server { ` + securely + ` add_header X-A a\ b; add_header X-B "\\n\.c"; }`,
		"include":                "include snippets/*.conf; server { " + securely + " include /etc/nginx/snippets/a.conf; }",
		"Windows line ends":      "server {\r\n " + securely + "\r\n add_header X-A 1;\r\n}\r\n",
		"empty value":            `server { ` + securely + ` add_header X-A ""; add_header X-B "$host"; }`,
		"rewrite":                "server { listen 80; server_name app.example.com; rewrite ^ https://$host$request_uri permanent; } server { " + securely + " }",
		"rewrite of all":         "server { listen 80; location / { rewrite ^/(.*)$ https://app.example.com/$1 permanent; } } server { " + securely + " }",
		"rewrite without query":  "server { listen 80; rewrite ^ https://$host$uri? permanent; } server { " + securely + " rewrite ^/none(.*)$ $scheme://x/y?a=b redirect; }",
		"set":                    "server { " + securely + " set $csp \"default-src 'self'\"; set $longer $host$scheme; add_header X-A $csp always; location /none { set $csp ${host}x; add_header X-B ${csp} always; add_header X-C $longer; } }",
		"map":                    "map $uri $policy { default \"default-src 'self'\"; /none a; ~*^/NONE/[a-z] b; }\nserver { " + securely + " add_header X-A $policy always; }",
		"try_files with a query": "server { " + securely + " add_header X-A 1; location / { try_files $uri ${uri}/ /index.html?$query_string; } }",
		"map without a default":  "map $host $a { hostnames; other.example.com 1; }\nserver { " + securely + " add_header X-A $a always; add_header X-B b$a always; }",
		"dropped":                "server { " + securely + " access_log /etc/x; gzip on; ssl_session_cache shared:SSL:10m; expires 1h; add_header X-A 1; server_tokens off; }",
		"nothing":                "# nothing\n",
		"no ;":                   "server { " + securely + " add_header X-A 1 }",
		"no }":                   "server { " + securely,
		"too many }":             "server { " + securely + " } }",
		"open quote":             `server { ` + securely + ` add_header X-A "1; }`,
		"after a quote":          `server { ` + securely + ` add_header X-A "1"x; }`,
		"three words":            "server { " + securely + " add_header Content-Security-Policy default-src 'self'; }",
		"four words":             "server { " + securely + " add_header Content-Security-Policy default-src 'self' always; }",
		"unknown":                "server { " + securely + " ad_header X-A 1; }",
		"wrong place":            "ssl_certificate x; listen 443; server { " + securely + " }",
		"twice":                  "server { " + securely + " root /x; }",
		"two locations":          "server { " + securely + " location / { } location / { } }",
		"bad protocol":           "server { " + securely + " ssl_protocols TLS1.2; }",
		"no certificate":         "server { listen 443 ssl; server_name app.example.com; }",
		"another's key":          strings.Replace("server { "+securely+" }", "app.key", "other.key", 1),
		"no file":                strings.Replace("server { "+securely+" }", "app.crt", "none.crt", 1),
		"bad option":             "server { listen 443 tls; }",
		"include of nothing":     "include x.conf; server { " + securely + " }",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, other := pair(t, "other")
			files := memory(map[string]string{
				"etc/nginx/conf.d/app.conf": text, "etc/nginx/tls/app.crt": cert, "etc/nginx/tls/app.key": key, "etc/nginx/tls/other.key": other,
				"etc/nginx/snippets/a.conf": "add_header X-S a;\n", "etc/nginx/snippets/b.conf": "# nothing\n",
			})
			compare(t, nginx, files)
		})
	}
}

// refusedLater are the cases that nginx refuses for what stands in files.
var refusedLater = []string{"no_certificate", "another's_key", "no_file"}

func compare(t *testing.T, nginx string, files Files) {
	config, err := Read(files, "etc/nginx/conf.d/app.conf")
	if err != nil {
		// nginx says the same of the very file.
		if !refuses(t, nginx, files) {
			t.Fatalf("nginx takes it, we say %v", err)
		}
		return
	}
	running, err := config.Serve(t.Context(), nginx, files)
	if errors.Is(err, ErrNotServed) && len(config.servers) == 0 {
		return
	}
	if cerr := config.CheckCertificates(files); (cerr == nil) != (err == nil) {
		t.Errorf("certificates: %v, nginx %v", cerr, err)
	}
	if err != nil {
		if slices.ContainsFunc(refusedLater, func(name string) bool { return strings.HasSuffix(t.Name(), name) }) && !errors.Is(err, ErrNotServed) {
			return
		}
		t.Fatalf("nginx: %v", err)
	}
	defer running.Close()
	for _, secure := range []bool{true, false} {
		for _, host := range []string{"app.example.com", "other.example.com"} {
			for _, path := range []string{"/", "/none", "/index.html", "/none/x?y=1"} {
				is, err := config.Model().Get(secure, host, path)
				want, werr := running.Get(secure, host, path)
				if (err == nil) != (werr == nil) {
					t.Errorf("%v %s%s: %v, nginx %v", secure, host, path, err, werr)
					continue
				}
				if err == nil && answer(is) != answer(want) {
					t.Errorf("%v %s%s:\n%s, nginx\n%s", secure, host, path, answer(is), answer(want))
				}
			}
		}
	}
}

func answer(r *Response) string {
	text := fmt.Sprint(r.Status)
	for _, name := range []string{"Location", "X-A", "X-B", "X-C", "X-S"} {
		location := r.Header[name]
		if name == "Location" && len(location) == 1 && strings.HasPrefix(location[0], "/") {
			location = nil
		}
		if len(location) > 0 && !strings.Contains(strings.Join(location, ""), "/other") {
			text += fmt.Sprintf(" %s=%q", name, location)
		}
	}
	return text
}

// refuses asks nginx about the files as they are, by nginx -t.
func refuses(t *testing.T, nginx string, files Files) bool {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"etc/nginx/conf.d/app.conf", "etc/nginx/tls/app.crt", "etc/nginx/tls/app.key"} {
		data, err := files.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, strings.TrimPrefix(name, "etc/nginx/"))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, []byte(strings.ReplaceAll(string(data), "/etc/nginx/", dir+"/")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	main := "pid " + dir + "/pid; error_log stderr; events {} http { access_log off; include conf.d/*.conf; }"
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.Command(nginx, "-t", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr").Run() != nil
}

// TestNotServed: what is not known to be harmless is never run.
func TestNotServed(t *testing.T) {
	t.Parallel()
	nginx := program(t)
	for _, line := range []string{
		"location / { alias /etc/; }", "location / { proxy_pass http://127.0.0.1:1; }", "ssl_dhparam /etc/passwd;", "auth_basic_user_file /etc/shadow;", "try_files /../../etc/passwd /x;", "error_page 404 /../x;", "index ../../etc/passwd;",
		"ssl_certificate engine:x:y;", "ssl_certificate_key data:$x;", "resolver 127.0.0.1;", "rewrite ^ /../../etc/passwd;", "rewrite ^/(.*)$ /$1$1 last;", "set $a x; set $a $a$a$a;", "set $uria x; set $uria $uria$uria;", `location ~ "(?<urix>.)js$" { try_files /$urix$urix/etc/passwd =404; }`, "try_files /$is_args$args =404;", "try_files /${urix} =404;", "set $x ..; location / { try_files /$x/$x/etc/passwd =404; }", `location ~ "(?<d>.)js$" { try_files /$d$d/$d$d/etc/passwd =404; }`, "location ~ (.) { try_files $1 =404; }", "error_page 404 /$args;", "try_files /${args}x =404;", "ssl_client_certificate /etc/passwd;", "ssl_conf_command Options KTLS;", "server_name ~(a+)+$;",
	} {
		files := memory(map[string]string{"etc/nginx/conf.d/app.conf": "server { listen 80; " + line + " }"})
		config, err := Read(files, "etc/nginx/conf.d/app.conf")
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if running, err := config.Serve(t.Context(), nginx, files); !errors.Is(err, ErrNotServed) {
			t.Errorf("%s: %v", line, err)
			if err == nil {
				running.Close()
			}
		}
	}
	for _, line := range []string{"load_module x.so;", "lua_code_cache on;", "content_by_lua 'x';", "js_import x;", "perl x;", "fastcgi_pass x;", "user root;", "env X;", "pid /x;", "working_directory /;", "dav_methods PUT;", "if ($x) { return 1; }", "if (-f /etc/passwd) { return 200; }", "if ($host = x) { root /; }", "if ($host ~ (a+)+$) { return 200; }"} {
		files := memory(map[string]string{"a": "server { " + line + " }", "b": line})
		if _, err := Read(files, "a"); err == nil {
			t.Errorf("%s is read", line)
		}
		if _, err := Read(files, "b"); err == nil {
			t.Errorf("%s is read", line)
		}
	}
}

// TestBombs: variables made of each other do not grow without end.
func TestBombs(t *testing.T) {
	t.Parallel()
	doubled, maps := "set $a xx; ", ""
	for i := range 60 {
		doubled += "set $a $a$a$a$a; "
		maps += fmt.Sprintf("map $m%d $m%d { default $m%d$m%d; }\n", i+1, i, i+1, i+1)
	}
	for _, text := range []string{maps + "server { " + doubled + " return 301 https://$a$m0; }", "server { rewrite ^ " + strings.Repeat("x", 5000) + "; }", "server { add_header A " + strings.Repeat("$uri", 1000) + "; return 200; }"} {
		config, err := Read(memory(map[string]string{"a": text}), "a")
		if err != nil {
			continue
		}
		r, err := config.Model().Get(false, "x", "/y")
		if err != nil || len(fmt.Sprint(r)) > 1<<20 {
			t.Error(err, len(fmt.Sprint(r)))
		}
	}
}

// TestPassphrase: nobody is asked for the passphrase of a key, and what is refused has
// the names of the files that the learner knows.
func TestPassphrase(t *testing.T) {
	t.Parallel()
	cert, key := pair(t, "app")
	encrypt := exec.Command("openssl", "pkey", "-aes256", "-passout", "pass:secret")
	encrypt.Stdin = strings.NewReader(key)
	encrypted, err := encrypt.Output()
	if err != nil {
		t.Fatal(err)
	}
	files := memory(map[string]string{"a": "server { " + securely + " }", "etc/nginx/tls/app.crt": cert, "etc/nginx/tls/app.key": string(encrypted)})
	config, err := Read(files, "a")
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.Serve(t.Context(), program(t), files)
	want := `nginx refuses it: cannot load certificate key "/etc/nginx/tls/app.key": PEM_read_bio_PrivateKey() failed: it has a passphrase, and nobody is there to type it when nginx starts`
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestNoTerminal: what nginx runs with has none, so that it cannot ask there.
func TestNoTerminal(t *testing.T) {
	t.Parallel()
	files := memory(map[string]string{"a": "server { listen 80; }"})
	config, err := Read(files, "a")
	if err != nil {
		t.Fatal(err)
	}
	running, err := config.Serve(t.Context(), program(t), files)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	if session, err := unix.Getsid(running.cmd.Process.Pid); err != nil || session != running.cmd.Process.Pid {
		t.Error(session, err)
	}
}

// TestServed: what was started ends, leaves nothing, and sends its certificate.
func TestServed(t *testing.T) {
	t.Parallel()
	cert, key := pair(t, "app")
	files := memory(map[string]string{"etc/nginx/conf.d/app.conf": "server { " + securely + " ssl_protocols TLSv1.3; }", "etc/nginx/tls/app.crt": cert, "etc/nginx/tls/app.key": key})
	config, err := Read(files, "etc/nginx/conf.d/app.conf")
	if err != nil {
		t.Fatal(err)
	}
	if c, k := config.Certificate("app.example.com"); c != "etc/nginx/tls/app.crt" || k != "etc/nginx/tls/app.key" || !slices.Equal(config.Protocols(), []string{"TLSv1.3"}) {
		t.Error(c, k, config.Protocols())
	}
	running, err := config.Serve(t.Context(), program(t), files)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := running.Certificates("app.example.com", tls.VersionTLS13)
	if err != nil || len(certs) != 1 || certs[0].Subject.CommonName != "app" {
		t.Error(err)
	}
	if _, err := running.Certificates("app.example.com", tls.VersionTLS12); err == nil {
		t.Error("it speaks TLS 1.2")
	}
	running.Close()
	if _, err := os.Stat(running.dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("it leaves its directory")
	}
	if running.cmd.ProcessState == nil {
		t.Error("it has not ended")
	}
}

func FuzzRead(f *testing.F) {
	f.Add("server { "+securely+" location ~ \\.x$ { try_files $uri @a; } location @a { return 301 https://$host; } error_page 404 /; }", "add_header X-A \"1\" always;")
	f.Add("include *; server { rewrite ^(.*)$ https://x$1 permanent; }", "include conf.d/app.conf;")
	f.Fuzz(func(t *testing.T, first, second string) {
		config, err := Read(memory(map[string]string{"etc/nginx/conf.d/app.conf": first, "etc/nginx/a.conf": second}), "etc/nginx/conf.d/app.conf")
		if err != nil {
			return
		}
		for _, path := range []string{"/", "/none"} {
			if r, err := config.Model().Get(true, "app.example.com", path); err == nil && r.Header == nil {
				t.Error("no header")
			}
			_, _ = config.Model().Get(false, "app.example.com", path)
		}
		config.Certificate("app.example.com")
		config.render("/x", map[string]string{})
	})
}
