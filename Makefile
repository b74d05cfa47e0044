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

.PHONY: build install demo test check bench fuzz cross reproducible lint-tools clean

build:
	$(BUILD) -o bin/pkictl ./cmd/pkictl

install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 0755 bin/pkictl $(DESTDIR)$(PREFIX)/bin/pkictl
	bin/pkictl man --out $(DESTDIR)$(PREFIX)/share/man/man1

# The main job, in ./demo.
demo: build
	rm -rf demo && mkdir demo
	@cd demo && PATH="$(CURDIR)/bin:$$PATH" bash ../tools/demo.sh

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

test: tools/bin/.peers
	@command -v openssl >/dev/null || { echo "error: the tests need openssl; install your system's package of it" >&2; exit 1; }
	go test $(RACE) -timeout 30m ./...
