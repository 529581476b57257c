# Every command we use. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
PACKAGES := core connectors engine api bot atlas

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench docs lock clean

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

test: setup  ## the whole test suite
	$(BIN)/python -m pytest

lint: setup  ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## the benchmarks, printed as ratios
	$(BIN)/python -m bench

docs: setup  ## write docs/reference anew from the code
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.conversation

lock: setup  ## resolve the dependencies anew (needs uv on the PATH)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
	  --extra production --extra slack --extra teams --extra dev pyproject.toml --output-file requirements.lock

clean:  ## remove what the commands above made
	rm -rf .venv .atlas build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
