# Everything a newcomer needs. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
# one more than processors: some tests wait
WORKERS ?= 3
export PORT
# what is compiled once stays: a test starts hundreds of processes
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install browser run worker database tracer bucket spreadsheet proxy test quick nightly fuzz faults faults-long lint format bench reference locked sbom clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

install: $(VENV)/.ready ## make the environment and install the packages

$(VENV)/.ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[prove,tests]'
	touch $@

run: install ## the portal with all procedures, demo people and a simulated operator, on http://localhost:8000
	$(BIN)/guichet serve --demo

worker: install ## what falls due with time: letters, due dates, payments to check
	$(BIN)/guichet worker

browser: install ## a real Chromium for the tests (Debian's package; asks for root when it is missing)
	@$(BIN)/python tests/browser.py --install

database: install ## a PostgreSQL server for the tests (Debian's package; asks for root when it is missing)
	@$(BIN)/python -m tests.postgres --install

bucket: install ## an S3-compatible service for the tests (Debian's package; asks for root when it is missing)
	@$(BIN)/python -m tests.bucket --install

tracer: install ## strace, for the tests in which calls of the system fail (Debian's package; asks for root when it is missing)
	@$(BIN)/python -m tests.faults.syscalls --install

spreadsheet: install ## Gnumeric, which opens the tables that people take away (Debian's package; asks for root when it is missing)
	@$(BIN)/python -m tests.faults.spreadsheet --install

proxy: install ## nginx, for the tests of the documented proxy (Debian's package; asks for root when it is missing)
	@$(BIN)/python -m tests.nginx --install

test: browser database tracer bucket spreadsheet proxy ## what continuous integration runs: all but what waits for the night
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m 'not nightly'

quick: database bucket ## the fast tests only: no browser, no race, no fuzzing
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m 'not slow and not browser and not nightly'

nightly: browser database tracer bucket spreadsheet proxy ## what make test leaves out, file after file (PARTS='walks crash_bar'): stopped, it goes on where it was
	$(BIN)/python -m tests.long nightly $(PARTS)

fuzz: EFFORT ?= 200
fuzz: install ## what tries at random, two hundred times over: 10,000 mutants of each shipped file (most of an hour)
	GUICHET_EFFORT=$(EFFORT) $(BIN)/python -m pytest -n $(WORKERS) -m fuzz

faults: database tracer bucket spreadsheet ## money, files, texts, crashes, power cuts: what must hold, each with twins that turn the bar red
	$(BIN)/python -m pytest -n $(WORKERS) -m faults

faults-long: EFFORT ?= 8
faults-long: database tracer bucket spreadsheet ## the same eight times over, bar after bar (BARS='power seats'): stopped, it goes on where it was
	GUICHET_EFFORT=$(EFFORT) $(BIN)/python -m tests.long faults $(BARS)

lint: install ## style, types and the shipped procedures
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/guichet fmt --check procedures
	$(BIN)/guichet lint procedures

format: install ## lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## what things cost beside their peers, kept in benchmarks/out.json (the first time, half an hour to make what is measured)
	$(BIN)/python -m benchmarks

reference: install ## write the generated references again
	$(BIN)/python -m renderers.cli.reference_docs

LOCKER := var/locker/bin

$(LOCKER)/pip-compile:
	$(PYTHON) -m venv var/locker
	$(LOCKER)/python -m pip install --quiet --disable-pip-version-check pip-tools cyclonedx-bom pip-audit

locked: $(LOCKER)/pip-compile ## pin what an installation runs on again, with hashes (docs/deploy/requirements.txt)
	$(LOCKER)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-annotate --no-header \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --extra prove -o var/locked.txt pyproject.toml
	(sed -n '1,2p' docs/deploy/requirements.txt; sed '/./,$$!d' var/locked.txt) > var/requirements.txt
	mv var/requirements.txt docs/deploy/requirements.txt

sbom: $(LOCKER)/pip-compile ## the list of what an installation runs on (CycloneDX), and its known weaknesses
	$(LOCKER)/cyclonedx-py requirements --pyproject pyproject.toml --of JSON -o var/sbom.cdx.json docs/deploy/requirements.txt
	$(LOCKER)/pip-audit --strict --disable-pip --require-hashes -r docs/deploy/requirements.txt

clean: ## forget the environment and the demo's data
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache
