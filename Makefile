# The commands of a developer. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
# two more than processors: the tests of one worker wait, and others wait for a server or a browser
WORKERS ?= 4
export PORT
# bytecode is stored: the tests start hundreds of processes
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install browser run worker database tracer spreadsheet proxy balancer test quick nightly fuzz faults faults-long failover soak lint format bench bench-smoke reference locked sbom clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

install: $(VENV)/.ready ## make the environment and install the packages

$(VENV)/.ready: pyproject.toml
	@echo 'Python environment in $(VENV): packages of pyproject.toml are downloaded (about two minutes)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[tests]'
	@touch $@
	@echo 'Installed. make run serves the portal, make test runs the tests, $(BIN)/guichet --help lists the commands.'

run: install ## the portal with all procedures, demo people and a simulated operator, on http://localhost:8000
	@echo "Demonstration in $${GUICHET_DATA:-var/demo}: fictitious people, simulated operator. Ctrl-C stops it."
	@$(BIN)/guichet serve --demo

worker: install ## the worker: timers, outbound messages, due dates, payments to check
	$(BIN)/guichet worker

browser: install ## a real Chromium for the tests (Debian's package; asks for root when it is missing)
	@$(BIN)/python tests/browser.py --install

database: install ## PostgreSQL and PgBouncer for the tests (Debian's packages; asks for root when they are missing)
	@$(BIN)/python -m tests.postgres --install
	@$(BIN)/python -m tests.pgbouncer --install

tracer: install ## strace, for the tests in which system calls fail (Debian's package; asks for root when it is missing)
	@$(BIN)/python -m tests.faults.syscalls --install

spreadsheet: install ## Gnumeric, for the tests of exported tables (Debian's package; asks for root when it is missing)
	@$(BIN)/python -m tests.faults.spreadsheet --install

proxy: install ## nginx, for the tests of the documented proxy (Debian's package; asks for root when it is missing)
	@$(BIN)/python -m tests.nginx --install

balancer: install
	@$(BIN)/python -m tests.nginx --install haproxy

test: browser database tracer spreadsheet proxy ## what continuous integration runs: all tests except the nightly ones
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m 'not nightly'

quick: database ## the fast tests only: no browser, no race, no fuzzing
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m 'not slow and not browser and not nightly'

nightly: browser database tracer spreadsheet proxy balancer ## the tests that make test leaves out, file after file (PARTS='scenario_journeys crash_faults'); a stopped run continues
	$(BIN)/python -m tests.long nightly $(PARTS)

fuzz: EFFORT ?= 200
fuzz: install ## the random tests, two hundred times: 10,000 mutants of each shipped file (most of an hour)
	GUICHET_EFFORT=$(EFFORT) $(BIN)/python -m pytest -n $(WORKERS) -m fuzz

faults: database tracer spreadsheet ## the fault tests (money, files, texts, crashes, power cuts), each with its mutants
	$(BIN)/python -m pytest -n $(WORKERS) -m faults

faults-long: EFFORT ?= 8
faults-long: database tracer spreadsheet ## the same eight times, one fault test after another (PARTS='power seats'); a stopped run continues
	GUICHET_EFFORT=$(EFFORT) $(BIN)/python -m tests.long faults $(PARTS)

failover: ROUNDS ?= 10
failover: install ## the documented cluster under load: servers, machines and the quorum are lost (root; SEED=7 repeats an order)
	$(BIN)/python -m tests.failover --install --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

soak: MINUTES ?= 100
soak: database ## an office at work for a hundred minutes, half with each store: memory, handles and waits stay as they are
	GUICHET_SOAK=$(MINUTES) $(BIN)/python -m pytest -s -m faults tests/faults/test_soak_faults.py -k holds_no_more

lint: install ## style, types and the shipped procedures
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/guichet fmt --check procedures
	$(BIN)/guichet lint procedures

format: install ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: database ## measure the costs beside peers, stored in benchmarks/out.json (half an hour more the first time, for the test data)
	$(BIN)/python -m benchmarks

bench-smoke: database ## a journey in each store, red on any answer that is not the receipt (make test runs it too)
	$(BIN)/python -m benchmarks smoke

reference: install ## write the generated references again
	$(BIN)/python -m renderers.cli.reference_docs

LOCKER := var/locker/bin

$(LOCKER)/pip-compile:
	$(PYTHON) -m venv var/locker
	$(LOCKER)/python -m pip install --quiet --disable-pip-version-check pip-tools cyclonedx-bom pip-audit

locked: $(LOCKER)/pip-compile ## pin the dependencies of an installation again, with hashes (docs/deploy/requirements.txt)
	$(LOCKER)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-annotate --no-header \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links -o var/locked.txt pyproject.toml
	(sed -n '1,2p' docs/deploy/requirements.txt; sed '/./,$$!d' var/locked.txt) > var/requirements.txt
	mv var/requirements.txt docs/deploy/requirements.txt

sbom: $(LOCKER)/pip-compile ## the dependencies of an installation (CycloneDX) and their known vulnerabilities
	$(LOCKER)/cyclonedx-py requirements --pyproject pyproject.toml --of JSON -o var/sbom.cdx.json docs/deploy/requirements.txt
	$(LOCKER)/pip-audit --strict --disable-pip --require-hashes -r docs/deploy/requirements.txt

clean: ## delete the environment and the demonstration data
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache
