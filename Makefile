# The two commands are `make demo` and `make test`; `make install` is the part they share.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help demo model test install install-dev lint clean lock

help:  ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: install model  ## Install, start everything on this machine, judge the sample events, write a report
	$(BIN)/weir demo

model: install  ## Fetch the pretrained parts (160 MB, once) and assemble the served ensemble
	@$(BIN)/weir model assemble

test: install-dev  ## Everything that CI runs
	bash ops/test.sh

install: $(VENV)/.installed  ## A venv with the `weir` command, the agents and the embedded servers (no torch)

install-dev: $(VENV)/.installed-dev  ## The same with torch and the tools for development

lint: install-dev  ## Formatting, lint, types and floors only
	bash ops/test.sh lint

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] < (3, 13)))' \
	  || { echo "Weir needs Python 3.11 or 3.12 (found: $$($(PYTHON) --version 2>&1)). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 3; }
	@$(PYTHON) ops/local/libpython.py > /dev/null || echo "(going on: Weir itself works, with a Triton that runs elsewhere)"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml ops/constraints/run.txt | $(BIN)/python
	$(PIP) install -q --no-deps --require-hashes -r ops/constraints/run.txt
	$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml ops/constraints/dev.txt | $(BIN)/python
	$(PIP) install -q --no-deps --require-hashes -r ops/constraints/dev.txt
	$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.installed

lock:  ## Resolve the dependencies again: names, versions, hashes (needs uv)
	bash ops/lock.sh

clean:  ## Remove the venv and what was built
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
