# Every task of the project; `make` lists them. Needs python3 (>= 3.11), bash and make; the rest goes into .venv.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules

PYTHON ?=
ARGS ?=
KILLS ?= 300
SEED ?= 7
BIN := .venv/bin
LOCKS := scripts/lock/uv.txt scripts/lock/requirements.txt
PROJECTS := pyproject.toml sdk/python/pyproject.toml
HOST_DIST := server/stateward_server/runtime/xstate/dist
HOST_SOURCES := $(shell find server/hosts/xstate sdk/machine -type f -not -path '*/node_modules/*' 2>/dev/null)

# Stamps live in .venv, so a new .venv starts from nothing.
DEPS := .venv/.deps-installed
HOST := .venv/.host-built

.PHONY: help
help: ## list the tasks
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-17s%s\n", $$1, $$2 }'

.PHONY: setup
setup: $(DEPS) $(HOST) ## make .venv with everything pinned, and build the XState host

$(DEPS): $(LOCKS) $(PROJECTS) scripts/setup.sh
	@PYTHON='$(PYTHON)' scripts/setup.sh
	@touch $@

# A deleted bundle is a reason to build, which no timestamp would show.
ifeq ($(wildcard $(HOST_DIST)/*),)
.PHONY: $(HOST)
endif
$(HOST): $(DEPS) scripts/build_host.py $(HOST_SOURCES)
	@$(BIN)/python scripts/build_host.py
	@touch $@

.PHONY: host
host: $(DEPS) ## build the XState host bundle
	@$(BIN)/python scripts/build_host.py
	@touch $(HOST)

.PHONY: gen
gen: $(DEPS) ## generate the Python code of the contract
	@$(BIN)/python scripts/gen.py

.PHONY: gen-check
gen-check: $(DEPS) ## fail if the generated code is out of date
	@$(BIN)/python scripts/gen.py --check

.PHONY: fmt
fmt: $(DEPS) ## format Python and proto files, and apply safe lint fixes
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .
	@$(BIN)/python scripts/protos.py format

.PHONY: lint
lint: $(DEPS) ## check style of Python and proto files, and compatibility with the last release
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python scripts/protos.py lint
	@$(BIN)/python scripts/protos.py breaking

.PHONY: types
types: $(DEPS) ## check types, strictly
	@$(BIN)/mypy

.PHONY: layers
layers: $(DEPS) ## check that each room imports only what it may
	@PYTHONPATH=scripts $(BIN)/lint-imports --no-logo

.PHONY: docs-check
docs-check: $(DEPS) ## check that docs name every RPC, error reason and command
	@$(BIN)/python scripts/docs_check.py

.PHONY: test
test: setup ## run the tests, a file at a time on each core; ARGS='-k name' picks some
	@$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: crash
crash: setup ## kill servers some hundred times, for ten minutes; KILLS= and SEED= say how often and which
	@STATEWARD_KILLS='$(KILLS)' STATEWARD_KILL_SEED='$(SEED)' $(BIN)/pytest -s tests/crash $(ARGS)

.PHONY: demo
demo: setup ## show the whole thing working, in one terminal
	@$(BIN)/python scripts/demo.py $(ARGS)

.PHONY: bench
bench: setup ## measure throughput and latency on this machine
	@$(BIN)/python scripts/bench.py $(ARGS)
	@$(BIN)/python scripts/bench_watch.py

.PHONY: bench-timers
bench-timers: setup ## measure how late timers fire, and what a million of them cost
	@$(BIN)/python scripts/bench_timers.py $(ARGS)

.PHONY: bench-fairness
bench-fairness: setup ## measure how long others wait while one machine is killed, eats memory or spins
	@$(BIN)/python scripts/bench_fairness.py $(ARGS)

.PHONY: check
check: lint types layers gen-check docs-check test ## everything CI runs

.PHONY: lock
lock: $(DEPS) ## rewrite the locks; ARGS=--upgrade moves every pin to the newest version
	@scripts/lock.sh $(ARGS)

.PHONY: wheel
wheel: setup ## build the wheels of server and SDK into dist/
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist sdk/python
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

.PHONY: contract
contract: $(DEPS) ## write the contract into dist/stateward.binpb, for generators of other languages
	@$(BIN)/python scripts/protos.py image dist/stateward.binpb

.PHONY: clean
clean: ## remove everything that make made, .venv included
	@rm -rf .venv dist $(HOST_DIST) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find server sdk scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +
