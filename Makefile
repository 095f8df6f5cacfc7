# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ZOO := .venv-zoo
NODE := .venv-node

.PHONY: demo test lint format test-zoo bench web pictures clean

# The terrarium's own site, end to end: demo/site/index.html
demo: $(READY)
	$(BIN)/pellucid build terrarium terrarium:1600 -o demo --layers mixed3b mixed4a mixed4b --units 24 --grid 8 16

test: $(READY) lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(READY)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/pyright

format: $(READY)
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pellucid needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	touch $@

clean:
	rm -rf $(VENV) $(ZOO) $(NODE) demo dist web/node_modules
	find . -name __pycache__ -prune -exec rm -rf {} +
