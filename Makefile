# Every task of this checkout; bare `make` names them.
.DEFAULT_GOAL := help
.PHONY: help install install-dev fetch check fmt test test-unit test-dashboards test-live \
	test-latency test-faults test-faults-full bench demo demo-stop docs docs-site screenshots \
	lock clean

FITTING := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(eval PYTHON := $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c '$(FITTING)' 2>/dev/null && echo $$name && break; done))$(PYTHON)
BIN := .venv/bin
UNIT := not spark and not kafka and not trino and not stack and not faults
PYTEST_ARGS ?=
SIDE_BY_SIDE ?= -n 2 --dist loadfile --no-loadscope-reorder
KILLS ?= 200
SEEDED = $(if $(SEED),--seed $(SEED))
DEMO_ARGS ?=

help: ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

install: .python ## make .venv with the headwater command, and Java where it is missing (Debian, as root)
	@$(PYTHON) -m infra.install main

install-dev: .python ## install, with what checks and tests need
	@$(PYTHON) -m infra.install dev

fetch: install ## download jars and servers into ~/.cache/headwater (HEADWATER_CACHE)
	@$(BIN)/headwater fetch all

check: install-dev ## lint, format, types and imports, in seconds
	@$(MAKE) --no-print-directory .checked

.PHONY: .checked
.checked:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

fmt: install-dev ## format and fix what can be fixed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Virtual machines that live for minutes never earn back what optimising compilers cost.
test test-faults: export JAVA_TOOL_OPTIONS ?= -XX:TieredStopAtLevel=1
# Tests wait for jobs and answers, and nobody for the streams beside them.
test test-faults test-faults-full: export HEADWATER_JOB_NICE ?= 0
test test-faults test-faults-full: export HEADWATER_QUERY_NICE ?= 0
# Images like to have Python keep nothing that it compiles. Hundreds of processes would each compile
# what they import, or the installation twice as many modules as are ever imported.
test: export PYTHONDONTWRITEBYTECODE :=
test: install-dev ## everything that CI holds; PYTEST_ARGS="-k late" narrows it
	@$(MAKE) --no-print-directory -j 2 .checked fetch
	@$(MAKE) --no-print-directory -j 2 .parts .stacks

# Whole stacks wait for clocks and for one another: the parts take what they leave of the cores.
.PHONY: .parts .stacks .whole
.parts:
	nice -n 5 $(BIN)/pytest -m "not long" $(SIDE_BY_SIDE) --ignore tests/end_to_end $(PYTEST_ARGS) \
		|| test $$? = 5
.stacks:
	@mkdir -p build
	@echo "whole stacks, and dashboards, beside it: build/stacks.log, shown at their end"
	@$(MAKE) --no-print-directory .whole > build/stacks.log 2>&1; code=$$?; cat build/stacks.log; \
		exit $$code
.whole:
	$(BIN)/pytest -m "not long" tests/end_to_end $(PYTEST_ARGS) || test $$? = 5
	$(BIN)/pytest -m long tests/dashboards $(PYTEST_ARGS) || test $$? = 5

test-unit: install-dev ## the tests that start no Java, in seconds
	$(BIN)/pytest -m "$(UNIT)" $(PYTEST_ARGS)

test-dashboards: install-dev fetch ## every chart of Superset on a seeded lake, and the docs as a site
	$(BIN)/headwater fetch superset
	$(BIN)/pytest -m "long or not long" tests/dashboards tests/docs $(PYTEST_ARGS)

test-live: install-dev ## the live page in Chromium, wide and as on a phone
	$(BIN)/headwater fetch web
	$(BIN)/pytest -m "long or not long" tests/services/test_live_page.py $(PYTEST_ARGS)

test-latency: install-dev fetch ## a scenario in a stack of its own: how soon what is critical is told
	HEADWATER_SUPERSET=off $(BIN)/pytest -m "long or not long" tests/end_to_end/test_alert_latency.py $(PYTEST_ARGS)

test-faults: install-dev fetch ## 50 minutes of kills: gateways; streams twice a point, 20 times at random; error 3: no time for all
	$(BIN)/pytest -m faults -n 3 tests/gateway $(PYTEST_ARGS)
	$(BIN)/python -m tests.faults.full --kills 20 --each 2 --hurry --at-once 2 --within 35 $(SEEDED)

test-faults-full: install-dev fetch ## for hours: KILLS=200, full disks, dead Dagster runs; SEED=n goes on
	$(BIN)/python -m tests.faults.full_disks
	$(BIN)/pytest -m faults $(PYTEST_ARGS)
	$(BIN)/python -m tests.faults.full --kills $(KILLS) $(SEEDED)

bench: fetch ## measure: BENCH=name for one of benchmarks/, OUT=file for its figures
	$(BIN)/python -m benchmarks $(BENCH) $(if $(OUT),--out $(OUT))

demo: fetch ## a mixed fleet through the whole stack, live, until Ctrl-C; DEMO_ARGS="--light"
	@$(BIN)/headwater demo $(DEMO_ARGS)

demo-stop: install ## stop the demo and remove its state
	@$(BIN)/headwater down --wipe

docs: install-dev ## write docs/tables.md and docs/reference/ from the code
	$(BIN)/python -m infra.tables_page
	$(BIN)/python -m docs.making

docs-site: export NO_MKDOCS_2_WARNING = true
docs-site: docs ## build the site of docs/ into build/site; a link that leads nowhere is an error
	$(BIN)/mkdocs build --strict

screenshots: install-dev ## pictures of the running stack for docs-site; ARGS="--help" says what must run
	$(BIN)/python -m docs.making.screenshots $(ARGS)

lock: install-dev ## compile infra/locks/*.txt anew; UPGRADE=1 takes newer versions
	UPGRADE=$(UPGRADE) infra/locks/compile.sh

clean: ## remove the environment and the tools' caches; state and downloads stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis \
		build headwater.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: .python
.python:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 to 3.13 found: install one\
	(Debian: apt-get install python3), or name it: make install PYTHON=…" >&2; exit 1; }
