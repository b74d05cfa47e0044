# pkictl: see CONTRIBUTING.md for what each target is for.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
# The same sources give the same bytes: no paths, no build id, no time.
BUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -buildid= -X main.version=$(VERSION)'
# The race detector needs a C compiler.
RACE := $(shell command -v cc >/dev/null 2>&1 && echo -race)
GOBIN := $(CURDIR)/tools/bin
PREFIX ?= /usr/local
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

KUBERNETES := $(shell sed -n 's|.*k8s.io/kubernetes v\([0-9.]*\).*|\1|p' tools/go.mod)
# The one that is linked.
AGE := $(shell sed -n 's|.*filippo.io/age \(v[0-9.]*\).*|\1|p' go.mod)

.PHONY: build pkcs11 install demo pictures test check bench fuzz cross reproducible lint-tools clean

build:
	$(BUILD) -o bin/pkictl ./cmd/pkictl

# With keys in PKCS#11 tokens, which takes a C compiler.
pkcs11:
	CGO_ENABLED=1 go build -tags pkcs11 -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o bin/pkictl-pkcs11 ./cmd/pkictl

# kubectl-pki makes it the plugin kubectl pki, kubectl_complete-pki completes that.
install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 0755 bin/pkictl $(DESTDIR)$(PREFIX)/bin/pkictl
	ln -sf pkictl $(DESTDIR)$(PREFIX)/bin/kubectl-pki
	ln -sf pkictl $(DESTDIR)$(PREFIX)/bin/kubectl_complete-pki
	bin/pkictl man --out $(DESTDIR)$(PREFIX)/share/man/man1

# The main job, in ./demo.
demo: build
	rm -rf demo && mkdir demo
	@cd demo && PATH="$(CURDIR)/bin:$$PATH" bash ../tools/demo.sh

# The README's pictures of the wizard, from the program itself in a real terminal.
pictures: build tools/bin/.peers
	cd tools/pictures && go build -trimpath -o $(GOBIN)/freeze github.com/charmbracelet/freeze
	cd tools/pictures && go build -trimpath -o $(GOBIN)/pictures .
	PATH="$(CURDIR)/bin:$(GOBIN):$$PATH" bash tools/pictures/pictures.sh docs/pictures

# The real peers: etcd, the control plane, kubeadm, kubectl, cfssl.
tools/bin/.peers: tools/go.mod tools/go.sum
	@echo "Building etcd, Kubernetes $(KUBERNETES) and cfssl into tools/bin: about five minutes, once."
	mkdir -p tools/bin
	cd tools && go build -trimpath -o bin/ -ldflags "-s -w \
	  -X k8s.io/component-base/version.gitVersion=v$(KUBERNETES) \
	  -X k8s.io/component-base/version.gitMajor=$(word 1,$(subst ., ,$(KUBERNETES))) \
	  -X k8s.io/component-base/version.gitMinor=$(word 2,$(subst ., ,$(KUBERNETES)))" tool
	mv tools/bin/server tools/bin/etcd
	touch $@

# Not in tools/go.mod, where it would move what Kubernetes is built with.
$(GOBIN)/age:
	GOBIN=$(GOBIN) go install filippo.io/age/cmd/age@$(AGE) filippo.io/age/cmd/age-keygen@$(AGE)

# Not there either, for the same reason.
$(GOBIN)/opa: tools/opa/go.mod tools/opa/go.sum
	cd tools/opa && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $(GOBIN)/opa github.com/open-policy-agent/opa
	touch $@

test: tools/bin/.peers $(GOBIN)/age $(GOBIN)/opa
	@for need in openssl softhsm2-util pkcs11-tool /usr/share/easy-rsa/easyrsa setsid tmux cc jq /usr/sbin/apparmor_parser \
	  /usr/sbin/sshd /usr/sbin/modprobe /usr/sbin/ufw /usr/sbin/nginx; do \
	  command -v $$need >/dev/null || { echo "error: the tests need $$need; on Debian: apt-get install openssl softhsm2 opensc easy-rsa util-linux tmux gcc jq" \
	    "apparmor openssh-server openssh-client kmod ufw nginx-light" >&2; exit 1; }; done
	@echo '#include <seccomp.h>' | cc -E -o /dev/null - 2>/dev/null || { echo "error: the tests need libseccomp; on Debian: apt-get install libseccomp-dev" >&2; exit 1; }
	go test $(RACE) -timeout 75m ./...
	go test -tags pkcs11 -run PKCS11 -timeout 10m ./ca ./cmd/pkictl
	cd tools/cyclonus && go test ./...

check: lint-tools
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "error: run gofmt -w on:" $$unformatted >&2; exit 1; }
	go mod tidy -diff
	cd tools && go mod tidy -diff
	cd tools/pictures && go mod tidy -diff && go vet ./...
	cd tools/cyclonus && go mod tidy -diff && go vet ./...
	cd tools/opa && go mod tidy -diff
	go vet ./...
	go vet -tags pkcs11 ./ca ./cmd/pkictl
	$(GOBIN)/staticcheck ./...
	$(GOBIN)/staticcheck -tags pkcs11 ./ca ./cmd/pkictl
	$(GOBIN)/golangci-lint run ./...
	$(GOBIN)/golangci-lint run --build-tags pkcs11 ./ca ./cmd/pkictl
	go test -run TestImports .
	@$(GOBIN)/govulncheck ./... || { \
	  code=$$?; [ $$code -ne 3 ] || exit 3; \
	  echo "note: govulncheck did not run; its database cannot be reached from here"; }

# Pinned: a new version may find new things, and that is a change of its own.
lint-tools: $(GOBIN)/staticcheck $(GOBIN)/golangci-lint $(GOBIN)/govulncheck
$(GOBIN)/staticcheck:
	GOBIN=$(GOBIN) go install honnef.co/go/tools/cmd/staticcheck@v0.8.2
$(GOBIN)/golangci-lint:
	GOBIN=$(GOBIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
$(GOBIN)/govulncheck:
	GOBIN=$(GOBIN) go install golang.org/x/vuln/cmd/govulncheck@v1.8.0
$(GOBIN)/step:
	GOBIN=$(GOBIN) go install github.com/smallstep/cli/cmd/step@v0.30.2

# The programs people use today, in the same run.
bench: tools/bin/.peers $(GOBIN)/step build
	@echo "What starting costs, by package (ms):"
	@GODEBUG=inittrace=1 bin/pkictl version 2>&1 >/dev/null | awk '{ print $$5, $$2 }' | sort -rn | head -12
	go test -run '^$$' -bench . -benchtime 1x -timeout 30m ./cmd/pkictl ./tui

fuzz:
	@for package in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$package | grep ^Fuzz || true); do \
	    echo "$$package $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime 60s -fuzzminimizetime 1x $$package; done; done

cross:
	@for platform in $(PLATFORMS); do echo "build $$platform"; \
	  GOOS=$${platform%/*} GOARCH=$${platform#*/} $(BUILD) -o /dev/null ./cmd/pkictl; \
	  GOOS=$${platform%/*} GOARCH=$${platform#*/} go vet ./internal/... ./apiserver/... ./ca ./cluster ./csr ./kubeconfig ./lab/... ./examples ./tui; done

# Two builds, in two places, are the same bytes.
reproducible: build
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && \
	  cp -r go.mod go.sum apiserver ca cluster cmd csr examples internal kubeconfig lab tui "$$copy" && \
	  (cd "$$copy" && $(BUILD) -o pkictl ./cmd/pkictl) && cmp bin/pkictl "$$copy/pkictl" && \
	  echo "bin/pkictl is reproducible: $$(sha256sum < bin/pkictl | cut -d' ' -f1)"

clean:
	rm -rf bin demo tools/bin
