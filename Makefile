# Everything a newcomer needs. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
export PORT

.DEFAULT_GOAL := help
.PHONY: help install browser run worker database tracer bucket test quick fuzz faults faults-long lint format bench reference clean

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

test: browser database tracer bucket ## every test, as the continuous integration runs them
	$(BIN)/python -m pytest -n 2 --dist loadgroup

quick: database bucket ## the fast tests only: no browser, no race, no fuzzing
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m 'not slow and not browser'

fuzz: EFFORT ?= 100
fuzz: install ## what tries at random, a hundred times over: 10,000 mutants of each shipped file (most of an hour)
	GUICHET_EFFORT=$(EFFORT) $(BIN)/python -m pytest -n 2 -m fuzz

faults: database tracer bucket ## money, files, texts, crashes, power cuts: what must hold, each with twins that turn the bar red
	$(BIN)/python -m pytest -n 2 -m faults

faults-long: EFFORT ?= 8
faults-long: database tracer bucket ## the same many times over: hundreds of kills, thousands of cuts (an hour)
	GUICHET_EFFORT=$(EFFORT) $(BIN)/python -m pytest -n 2 -m faults

lint: install ## style, types and the shipped procedures
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/guichet fmt --check procedures
	$(BIN)/guichet lint procedures

format: install ## lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## what things cost beside their peers, kept in benchmarks/out.json (the first time, half an hour to make what is measured)
	$(BIN)/python -m benchmarks

reference: install ## write the generated references again
	$(BIN)/python -m renderers.reference

clean: ## forget the environment and the demo's data
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache
