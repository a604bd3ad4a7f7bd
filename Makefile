# Everything here needs Go, git and make; demo, parity and bench also need Python 3 with pip,
# test-arm64 needs qemu-aarch64.
GO          ?= go
STATICCHECK  = honnef.co/go/tools/cmd/staticcheck@v0.8.2
PLATFORMS    = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS      = -s -w -X main.version=$(VERSION)
CACHE       ?= .cache
# Tests against what others wrote, in modules of their own as these have many dependencies.
TESTMODULES  = deploy/_schemas ollama/_registry

export CGO_ENABLED = 0

.PHONY: build demo test test-arm64 race report-check lint generate check-generated cross fuzz parity bench check-bench clean

build: ## bin/gguftool
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/gguftool ./cmd/gguftool

demo: build ## the whole path on a real model: fetch, convert, quantize, compare
	sh scripts/demo.sh bin/gguftool $(CACHE)

test: ## all tests, and those that compute once more in plain Go
	$(GO) test ./...
	GGUFTOOL_CPU=scalar $(GO) test -count=1 ./infer
	$(GO) test -tags purego ./kernels/... ./infer
	for m in $(TESTMODULES); do (cd $$m && $(GO) test ./...) || exit 1; done

test-arm64: ## all tests for linux/arm64 under emulation, which needs qemu-aarch64
	sh scripts/test-arm64.sh

race: ## all tests under the race detector, which needs cgo and a C compiler
	CGO_ENABLED=1 $(GO) test -race ./...

report-check: ## HTML reports in a real browser, which needs chromium: widths, light, dark, print, no requests
	$(GO) test -count=1 -tags browser ./bench/report

lint: ## formatting, vet on every platform, staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "gofmt -w these:"; echo "$$out"; exit 1; }
	@for p in $(PLATFORMS); do echo vet $$p; GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) vet ./... || exit 1; done
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff
	for m in $(TESTMODULES); do (cd $$m && $(GO) vet ./... && $(GO) mod tidy -diff) || exit 1; done

generate: ## what is generated and committed: the command pages
	$(GO) generate ./...

check-generated: generate ## fails when a generated file is not current
	@git diff --exit-code -- . || { echo "generated files are not current: run 'make generate' and commit the result"; exit 1; }
	@test -z "$$(git ls-files --others --exclude-standard)" || { echo "files that git does not know:"; git ls-files --others --exclude-standard; exit 1; }

cross: ## builds for every platform
	@for p in $(PLATFORMS); do echo build $$p; GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -trimpath -o /dev/null ./cmd/gguftool || exit 1; done

FUZZTIME ?= 30s
fuzz: ## every fuzz target for FUZZTIME
	@sh scripts/fuzz.sh $(FUZZTIME)

parity: build ## the reference programs on real models beside ours (long: builds llama.cpp)
	sh scripts/parity.sh bin/gguftool $(CACHE)

# BENCH chooses a part and its options, as in BENCH="quantize --models MiniLM-wide --kinds Q4_K_M".
BENCH ?=
bench: build ## speed and accuracy beside the reference programs, in one run
	GO="$(GO)" sh scripts/bench.sh bin/gguftool $(CACHE) $(BENCH)

check-bench: build ## figures of bench against outside timing; ten reruns that must be quiet, ten slowdowns that must be found (20 minutes)
	GO="$(GO)" python3 scripts/check_bench.py bin/gguftool

clean:
	rm -rf bin
