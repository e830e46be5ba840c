# Each target does its own set-up in a virtual environment, from a bare Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo test test-dashboard check format accuracy bench long lock clean

demo: $(VENV)/.runtime
	@$(BIN)/transcript-client demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m "not long" --ignore tests/dashboard -n auto --maxprocesses 4 --dist worksteal $(ARGS)

# Needs Debian's chromium, node and npm.
test-dashboard: $(VENV)/.dev
	npm ci --no-audit --no-fund --loglevel=error --prefix tests/dashboard
	npm test --silent --prefix tests/dashboard
	$(BIN)/python -m pytest -q -m "not long" tests/dashboard $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

accuracy: $(VENV)/.dev
	$(BIN)/python -m tests.bench.accuracy $(ARGS)

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench.ingest $(ARGS)

long: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m long $(ARGS)

# The locks name versions and hashes, never an index: it is the installing machine that knows where packages come from.
lock: $(VENV)/.dev
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra local --group build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra local --extra mic --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or newer is needed; set PYTHON=/path/to/it" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(VENV), once ..." >&2
	@$(PIP) install --require-hashes -r requirements.lock 2> $(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }
	@$(PIP) install --no-deps --no-build-isolation -e . 2>> $(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(VENV), once ..." >&2
	@$(PIP) install --require-hashes -r requirements-dev.lock 2> $(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }
	@$(PIP) install --no-deps --no-build-isolation -e . 2>> $(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }
	@touch $@ $(VENV)/.runtime

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
