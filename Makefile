# Two commands do all the set-up: `make demo` and `make test`. Both make .venv by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test test-slow lint types imports check bench constraints clean

setup: $(READY)

# uv is installed inside the environment, so that nothing is needed beforehand but Python and make.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Sightline needs Python 3.11 or newer; call make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv -c constraints.txt
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[train,service,geo,video,huggingface,transformers,export]' --group dev
	@touch $@

demo: $(READY)
	$(BIN)/sightline demo

# A thread for each of the processes: more would wait for each other.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadgroup

# Launchers, Slurm and random kills of several ranks: minutes each.
test-slow: $(READY)
	$(BIN)/pytest -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/pyright

imports: $(READY)
	$(BIN)/lint-imports

check: lint types imports test

bench: $(READY)
	@for script in $$(grep -l -e --quick benchmarks/*.py); do $(BIN)/python $$script || exit 1; done

# Renew the exact versions, from what the open ranges in pyproject.toml give today.
constraints:
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade \
	  --all-extras --group dev pyproject.toml -o constraints.txt

clean:
	rm -rf $(VENV) .bench .pytest_cache .ruff_cache dist
