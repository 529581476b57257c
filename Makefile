# Every command we use. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
PACKAGES := core connectors engine api bot atlas

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-slack test test-long test-attack test-api test-crash lint bench bench-pii docs lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready  ## make .venv with the locked dependencies

.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	$(BIN)/python -m compileall -q $(PACKAGES)
	$(BIN)/python pipelines/data/make.py
	@touch $@

demo: setup  ## talk to Atlas: the sample pipelines in a terminal chat
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@$(BIN)/python pipelines/data/make.py
	@$(BIN)/atlas demo

demo-slack: setup  ## the same in Slack, without a Slack: a played one, and a page of what it was sent
	@$(BIN)/python pipelines/data/make.py
	@$(BIN)/python -m tests.mocks.demo

test: setup  ## the whole test suite
	$(BIN)/python -m pytest --numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-of: setup  ## the tests that lead to one file: make test-of FILE=engine/personal/mask.py
	$(BIN)/python -m tests.of $(FILE)

test-long: setup  ## the slow matrices whole, of which `make test` has a short form
	$(BIN)/python -m pytest -m long

test-attack: setup  ## what got through once, and all like it; and that each guard is needed
	$(BIN)/python -m pytest tests/attack -m "" --numprocesses $$(getconf _NPROCESSORS_ONLN) --dist loadgroup

test-api: setup  ## made-up requests to every route under every role, at length
	$(BIN)/python -m tests.api.contract

test-crash: setup  ## kill it anywhere: 220 trials on servers of its own, then many at once, 20 times
	$(BIN)/python -m tests.crash
	$(BIN)/python -m tests.crash.many

lint: setup  ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## the benchmarks, printed as ratios
	$(BIN)/python -m bench

bench-pii: setup  ## how fast and how well personal data is found and masked, beside Presidio and DuckDB
	$(BIN)/python -m bench.pii

docs: setup  ## write docs/reference anew from the code
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.conversation

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
  --no-header --no-annotate --extra production --extra slack --extra teams pyproject.toml

lock: setup  ## resolve the dependencies anew (needs uv on the PATH)
	$(LOCK) --extra dev --output-file requirements.lock
	$(LOCK) --constraint requirements.lock --output-file deploy/requirements.lock

clean:  ## remove what the commands above made
	rm -rf .venv .atlas build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
