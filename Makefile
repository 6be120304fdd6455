# Five verbs; each sets up what it needs, so that any of them can be the first command typed after a clone.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp

.PHONY: setup check test test-long demo up clean

setup: $(STAMP)

# torch comes first and by its exact version: with it installed, no later requirement pulls another build
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet torch==2.13.0 --constraint constraints.txt
	$(BIN)/pip install --quiet --editable '.[train,postgres,ner,spark,dev]' --constraint constraints.txt
	touch $(STAMP)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/watchlist.py

test: setup
	sh tools/install_test_servers.sh
	$(BIN)/pytest -n 2

test-long: setup
	sh tools/install_test_servers.sh
	$(BIN)/pytest -m 'slow and not gpu' --timeout 1800

demo: setup
	$(BIN)/penstock demo

up: setup
	$(BIN)/penstock up

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
