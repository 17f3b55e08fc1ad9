# `make demo` and `make test` need Python 3.11 to 3.13, make and a network that reaches PyPI;
# the rest they set up themselves, in .venv, once and again whenever pyproject.toml changes.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Extra arguments: make demo DEMO="--data digits", make test TEST="tests/core -k tape".
DEMO ?=
TEST ?=
BENCH ?=
# Processes that share the tests, a file of tests at a time; 0 runs them in one.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format typecheck bench clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## create .venv with everything in it

demo: $(READY)  ## train, export and check an image classifier (scripts/train_cifar10.py)
	$(BIN)/python scripts/train_cifar10.py $(DEMO)

test: $(READY)  ## run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
		--max-worker-restart 0 $(TEST)

lint: $(READY)  ## ruff, rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)  ## let ruff rewrite the files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: $(READY)  ## mypy
	$(BIN)/mypy

bench: $(READY)  ## seconds per training step beside TensorFlow and PyTorch
	$(BIN)/python scripts/bench_train.py $(BENCH)

clean:  ## remove .venv, caches and what the scripts wrote
	rm -rf $(VENV) output build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@python=$$(scripts/find_python) && echo "Setting up $(VENV) with $$($$python --version)" && \
		$$python -m venv --clear $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -e '.[test]'
	@touch $@
