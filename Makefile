# Everything runs in .venv, made from the lock; nothing but Python 3.11+, pip and make is needed beforehand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help demo check lint type test slow fmt cover bench screenshots icons lock chromium clean

help: ## List what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## Carry one escalation through the whole product (ARGS="--auto" plays the human too)
	@$(BIN)/signoff demo $(ARGS)

# The databases of tests are made in memory where there is plenty of it: a fifth of the time is the disk's.
MEMORY := $(shell test -w /dev/shm && test -r /proc/meminfo && ! grep -q '^[^ ]* /dev/shm .*noexec' /proc/mounts \
  && test "$$(df -Pk /dev/shm | awk 'NR == 2 {print $$4}')" -ge 8000000 \
  && test "$$(awk '/^MemAvailable/ {print $$2}' /proc/meminfo)" -ge 12000000 && echo PYTEST_DEBUG_TEMPROOT=/dev/shm)
# The benchmarks compare rates and would only make a busy machine fail here.
SUITE := $(MEMORY) $(BIN)/pytest --ignore=tests/bench -n auto --dist worksteal

check: lint type chromium ## Everything that must hold before a change is done
	$(SUITE)

lint: $(READY) ## Style, import contracts, dependencies, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/deptry server
	$(BIN)/codespell

type: $(READY) ## mypy, strict
	$(BIN)/mypy

test: $(READY) ## The whole suite but the benchmarks and what takes minutes (ARGS="tests/desk -x" narrows it)
	$(SUITE) -m "not slow" $(ARGS)

slow: $(READY) ## What takes minutes: processes killed fifty and a hundred times, of which `test` does a few rounds
	$(SUITE) -m slow $(ARGS)

fmt: $(READY) ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

cover: $(READY) ## The suite with branch coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --ignore=tests/bench $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: $(READY) ## Ratios against a baseline measured in the same run
	$(BIN)/pytest tests/bench $(ARGS)

screenshots: $(READY) chromium ## The pictures of docs/operators.md; every page in every size into docs/screenshots (ARGS="-k walk": only those of the page)
	SIGNOFF_WALK=$(CURDIR)/docs/operators SIGNOFF_SCREENSHOTS=$(CURDIR)/docs/screenshots $(BIN)/pytest tests/browser $(ARGS)

icons: $(READY) chromium ## The icons of the installed app, drawn from static/icon.svg
	$(BIN)/python -m tests.browser.make_icons

# uv.lock stays out of git: it names registry hosts. The exported files carry names, versions and hashes only.
lock: $(READY) ## Resolve the dependencies anew into .ci/*.lock (UPGRADE=1: to their newest versions)
	@test -x $(VENV)/uv/bin/uv || $(PYTHON) -m venv $(VENV)/uv
	@test -x $(VENV)/uv/bin/uv || $(VENV)/uv/bin/python -m pip install -qq uv
	$(VENV)/uv/bin/uv lock $(if $(UPGRADE),--upgrade)
	$(VENV)/uv/bin/uv export --quiet --locked --format requirements.txt --no-emit-project --no-header --no-annotate -o .ci/requirements.lock
	$(VENV)/uv/bin/uv export --quiet --locked --format requirements.txt --no-emit-project --no-header --no-annotate --no-dev --group build -o .ci/runtime.lock
	@! grep -nE '://|^-' .ci/requirements.lock .ci/runtime.lock

# Where ensurepip is missing (Debian without python3-venv) the outer pip fills the environment.
$(READY): .ci/requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("signoff needs Python 3.11 or newer; this one is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12")'
	@rm -f $@
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip $(VENV)
	@if test -x $(BIN)/pip; then pip=($(BIN)/python -m pip); else pip=($(PYTHON) -m pip --python $(BIN)/python); fi; \
	export PIP_DISABLE_PIP_VERSION_CHECK=1; \
	echo "Installing the locked dependencies into $(VENV) …"; \
	"$${pip[@]}" install -qq --require-hashes -r .ci/requirements.lock; \
	"$${pip[@]}" install -qq --no-deps --no-build-isolation -e .
	@touch $@

# The headless shell is Chromium's engine without its windows and takes half the processor time; Chromium shows notifications.
chromium: ## Make sure a Chromium is there for the tests of the pages
	@command -v chromium >/dev/null && command -v chromium-headless-shell >/dev/null && exit 0; \
	there=; for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && there=$$name; done; \
	export DEBIAN_FRONTEND=noninteractive; \
	if test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null; then \
	  test -n "$$there" && exit 0; \
	  echo "The tests of the pages need Chromium. Install it (Debian: sudo apt-get install chromium) and run make again." >&2; exit 1; \
	fi; \
	if test -z "$$there"; then \
	  echo "Installing Chromium for the tests of the pages …"; \
	  apt-get -qq update; apt-get -qq install -y --no-install-recommends chromium; \
	fi; \
	apt-cache show chromium-headless-shell >/dev/null 2>&1 || apt-get -qq update || true; \
	apt-get -qq install -y --no-install-recommends chromium-headless-shell || echo "… without chromium-headless-shell."

clean: ## Remove the environment and every cache
	rm -rf $(VENV) dist build htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find server tests -name __pycache__ -type d -prune -exec rm -rf {} +
