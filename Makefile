# The commands of this repository. README.md names the two that matter first:
# make run and make test.

AXE         := axe-core@4.14.1
AXE_SUM     := 29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
BUILD       := CGO_ENABLED=0 go build -trimpath -ldflags "-s -w"
FUZZTIME    ?= 30s
# The fuzz targets of T14 (docs/security-tests.md): what reads the JSON, PATCH
# paths and filters of clients.
T14         := scim.FuzzParseObject scim/filter.FuzzParse scim/filter.FuzzParsePath scim/patch.FuzzPatch scim/schema.FuzzDecode scim/engine.FuzzDo
# The suite of backends, tried on those that lack what may be lacking.
MEANT       := ^Test(ContractWith)?Lacks/
# Packages that the gate does not try with the race detector, which makes them
# ten times as slow: nothing in them runs beside anything else, or what does runs
# in the tests of another package too (the console in those of the server,
# PactFlow's in those of the facade).
SINGLE      := /(examples/.*|interop/.*|backend/pactflow(/.*)?|internal/(sqlfilter|conformance|replay|bench|failover|testrun|lookingglass/console)|scim/(filter|patch|schema|sqlfilter))$$
# What takes longest is begun first, so that the two cores end together.
ALL         := ./internal/server ./backend/postgres ./...
# SQLite is C translated to Go, ten times as slow with the race detector: that
# package alone is compiled without. It shares nothing but by what its callers
# lock, and has no generic functions, whose copies would stand for those of others.
RACE        := -race -gcflags=modernc.org/sqlite/lib=-race=false
# Tests in which one thing happens after another, many of them in processes of
# their own: the detector only slows them down. What runs beside something else in
# those, others try.
ORDERLY     := ^Test(Canary|CrossTenant|Neighbour|MetricsStaySmall|NobodyIsAdopted|BulkTwice|EveryWayToLeave|LargeOrders|TenantCommands|TenantsDocs|Copy.*|ResumedCopy.*|ExportImport|Moving|BackupRestore|RestoreOverCrash|Bench.*|Replay|Migrate.*|Mounts|FacadeSubcommands|Scopes|Why.*|LogFormats|Usage|EmulatorBadInput|BehindProxy|Plans|StreamedMembers|ResetMembers|PruneSteps|WithoutRights|MemberCost|SealLate|ManyValuesGo)$$
BENCHFLAGS  ?=

.PHONY: run build test test-ha test-ha-short quick lint setup fuzz fuzz-t14 reproducible sbom vuln bench bench-large report interop image clean

# Serves the directory on SQLite in ./data, on port 8080, and prints the base
# URL and a curl line. The token is made at the first start and kept in
# data/token.
run: build
	@exec dist/rollcall serve --data data --token-file data/token

build:
	@mkdir -p dist
	@$(BUILD) -o dist/rollcall ./cmd/rollcall

# Everything: sets up what the tests need, lints, runs all tests, the race
# detector and each fuzz target for a short time, and says what was skipped.
# With CI=true in the environment a skip is a failure.
test: setup
	go mod verify
	@$(MAKE) --no-print-directory format vet staticcheck
	go run ./internal/testrun -meant '$(MEANT)' -results dist/test.json -- -timeout 20m $(ALL)
	go run ./internal/testrun -meant '$(MEANT)' -- -short $(RACE) -skip '$(ORDERLY)' -timeout 20m $$(go list $(ALL) | grep -Ev '$(SINGLE)')
	@$(MAKE) --no-print-directory fuzz FUZZTIME=3s WITHOUT='$(T14)'

# Vet, and the tests that need no service, in under a minute.
quick: format vet
	go test -short ./...

.PHONY: format vet staticcheck
format:
	@bad=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "gofmt would change:"; echo "$$bad"; exit 1; fi

vet:
	go vet ./...
	go vet -tags ha ./internal/failover

staticcheck:
	go run $(STATICCHECK) ./...
	go run $(STATICCHECK) -tags ha ./internal/failover

# For people: the same, and golangci-lint with the list in .golangci.yml.
lint: format vet staticcheck
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo "golangci-lint is not installed: skipped"; fi

# Installs what some tests use besides Go, where that is possible: as root on
# Debian and its relatives. Elsewhere the tests say what they miss. The tests
# start what they need of the servers among it, on ports of their own; whatever
# Debian itself starts of them is neither used nor touched.
setup:
	@missing=; for tool in strace curl sqlite3 chromium npm haproxy patroni etcd:etcd-server promtool:prometheus systemd-analyze:systemd zsh fish; do \
		command -v $${tool%:*} >/dev/null || test -x /usr/sbin/$${tool%:*} || missing="$$missing $${tool#*:}"; \
	done; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	case "$$missing" in *patroni*) missing="$$missing python3-etcd" ;; esac; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing:$$missing"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates $$missing >/dev/null; \
	else echo "not installed:$$missing (the tests that need them will be skipped, or fail)"; fi
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory dist/cache/axe.min.js; fi

# What looks for faults of accessibility in the console's pages.
dist/cache/axe.min.js:
	@mkdir -p $(@D)/axe && cd $(@D)/axe && tar -xzf "$$(npm pack --silent $(AXE))" && echo "$(AXE_SUM)  package/axe.min.js" | sha256sum --check --quiet
	@mv $(@D)/axe/package/axe.min.js $@ && rm -r $(@D)/axe

# What writers lose when parts of a highly available PostgreSQL or one of two
# instances fail, and a restore to a moment (docs/operations.md): each fault
# twice, in about twelve minutes. The short run has two faults and the restore.
test-ha: setup
	@mkdir -p dist
	go test -tags ha -count=1 -timeout 40m -v -run '^(TestFailover|TestRestore)$$' ./internal/failover -args -rounds 2 -report $(CURDIR)/dist/failover.md -logs $(CURDIR)/dist/failover

test-ha-short: setup
	go run ./internal/testrun -- -tags ha -count=1 -short -timeout 10m -v -run '^(TestFailover|TestRestore)$$' ./internal/failover

# Each fuzz target for FUZZTIME, two beside each other, but for those that WITHOUT
# names.
fuzz:
	@$(MAKE) --no-print-directory -j 2 FUZZFLAGS='-parallel 1' $(addprefix fuzz/,$(filter-out $(WITHOUT),$(shell git grep -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed -E 's|/[^/]*:func |.|')))

# T14: a minute for each of its targets, two beside each other.
fuzz-t14:
	@$(MAKE) --no-print-directory -j 2 FUZZTIME=60s FUZZFLAGS='-parallel 1' $(T14:%=fuzz/%)

# One fuzz target, as in make fuzz/scim/filter.FuzzParse. Go reports one whose time
# is up in the middle of a run as failed now and then, and an input as one that hangs
# when a busy machine lets it wait for ten seconds: that is no finding, if the input
# by itself is none.
fuzz/%:
	@if out=$$(go test -run '^$$' -fuzz '^$(patsubst .%,%,$(suffix $*))$$' -fuzztime $(FUZZTIME) $(FUZZFLAGS) ./$(basename $*) 2>&1); then \
		printf '%s\n' "$*" "$$(echo "$$out" | tail -n 3)"; exit 0; \
	fi; \
	input=$$(echo "$$out" | sed -n 's/^ *Failing input written to //p'); \
	case "$$out" in \
	*'hung or terminated unexpectedly'*) \
		if go test -count=1 -timeout 1m -run '^$(patsubst .%,%,$(suffix $*))$$'"$${input:+/^$${input##*/}\$$}" ./$(basename $*) >/dev/null 2>&1; then \
			[ -z "$$input" ] || rm -f "$(basename $*)/$$input"; \
			echo "$*: it had to wait: no finding"; exit 0; \
		fi ;; \
	*'Failing input'*) ;; \
	*'context deadline exceeded'*) echo "$*: its time was up: no finding"; exit 0 ;; \
	esac; \
	echo "$*"; echo "$$out"; exit 1

# Builds what is committed twice, in two places, and compares (T30).
reproducible:
	deploy/reproducible.sh

# What the program is made of, as CycloneDX, in dist/rollcall.cdx.json: each module
# that Go finds in the program has to be in it.
sbom: build
	@go run ./internal/sbom dist/rollcall > dist/rollcall.cdx.json
	@parts=$$(go version -m dist/rollcall | sed -nE 's|^\tdep\t([^\t]+)\t([^\t]+).*|pkg:golang/\1@\2|p' | sed 's/+/%2B/g'); test -n "$$parts"; \
		for part in $$parts; do grep -qF "\"purl\": \"$$part\"" dist/rollcall.cdx.json || { echo "dist/rollcall.cdx.json lacks $$part"; exit 1; }; done
	@echo "dist/rollcall.cdx.json lists $$(grep -c '"purl"' dist/rollcall.cdx.json) parts"

# Known weaknesses of what is used. It needs a network that has the database of them.
vuln:
	go run $(GOVULNCHECK) ./...

# Measures the program that is built here, on this machine (docs/performance.md).
bench: build
	dist/rollcall bench self --json dist/bench.json $(BENCHFLAGS)
	dist/rollcall bench facade
	dist/rollcall bench glass
	dist/rollcall bench neighbour

# The same with a million people and ten million memberships, which take some
# 10 GB and are kept between runs; and what has grown since 10,000 people.
bench-large: build
	dist/rollcall bench self --users 10000 --memberships 100000 --json dist/bench-small.json $(BENCHFLAGS)
	dist/rollcall bench self --users 1000000 --memberships 10000000 --data .cache/bench-large --json dist/bench-large.json $(BENCHFLAGS)
	dist/rollcall bench compare dist/bench-small.json dist/bench-large.json

# Runs all tests and writes docs/conformance.md from their results.
report:
	-go run ./internal/testrun -meant '$(MEANT)' -results dist/test.json -- -timeout 20m $(ALL)
	go run ./internal/conformance/report < dist/test.json > dist/conformance.md
	mv dist/conformance.md docs/conformance.md
	@sed -n '/^| level/,/^$$/p' docs/conformance.md

# Suites that others wrote, against a server on SQLite (docs/interop.md).
interop:
	@interop/run

# Builds the container image with buildah, without a daemon.
image:
	deploy/image.sh

clean:
	rm -rf dist
