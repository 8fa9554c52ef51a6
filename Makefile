# Turbo UI. `make run` and `make test` need Python 3.11 or newer and make, nothing else.
# Everything is installed into .venv; a stamp file there lets the second run start at once.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	command -v $$p >/dev/null 2>&1 \
	&& $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo $$p; break; }; done)
VENV := .venv
PY := $(VENV)/bin/python
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
TRAIN_STAMP := $(VENV)/.installed-train
SOURCES := $(wildcard app.py turbo_ui training benchmarks harness docs tests)
ARGS ?=

.PHONY: help run setup test check format browser bench bench-browser bench-engine doodle-data train-doodle \
	eval-doodle clean

help: ## list these verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: $(RUN_STAMP) ## start the app on the embedded model (ARGS="--port 7861" and so on)
	$(PY) app.py $(ARGS)

setup: $(DEV_STAMP) ## install what running, checking and testing need

test: $(DEV_STAMP) browser ## run all tests, in a real browser too (ARGS="-k mailbox" and so on)
	$(PY) -m pytest $(ARGS)

check: $(DEV_STAMP) ## lint, format, types, import rules
	$(PY) -m ruff check $(SOURCES)
	$(PY) -m ruff format --check $(SOURCES)
	$(PY) -m pyright --warnings
	$(PY) -m pytest -q tests/test_imports.py

format: $(DEV_STAMP) ## put the code into the house format
	$(PY) -m ruff check --fix $(SOURCES)
	$(PY) -m ruff format $(SOURCES)

browser: $(DEV_STAMP)
	@$(PY) -m harness.chromium

bench: bench-browser bench-engine ## all benchmarks

bench-browser: $(DEV_STAMP) browser ## stroke-to-pixel latency in a real browser, three minutes
	$(PY) -m benchmarks.browser $(ARGS)

bench-engine: $(DEV_STAMP) ## frames/s of each model and of plain diffusers, under nine minutes
	$(PY) -m benchmarks.engine $(ARGS)

doodle-data: $(TRAIN_STAMP) ## fetch what the embedded model is trained from and measured on
	$(PY) -m training.doodle.data $(ARGS)
	$(PY) -m training.doodle.other_set

train-doodle: $(TRAIN_STAMP) doodle-data ## train the embedded model; goes on where it stopped
	$(PY) -m training.doodle.train $(ARGS)

eval-doodle: $(TRAIN_STAMP) doodle-data ## measure the embedded model and write its card
	$(PY) -m training.doodle.evaluate $(ARGS)

clean: ## remove what was installed and cached
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis

$(PY):
	@test -n "$(PYTHON)" || { echo "Turbo UI needs Python 3.11 or newer; none was found. Install it, or name it: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "This Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(RUN_STAMP): requirements.txt | $(PY)
	$(PY) -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

$(DEV_STAMP): requirements-dev.txt $(RUN_STAMP)
	$(PY) -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(TRAIN_STAMP): requirements-train.txt $(RUN_STAMP)
	$(PY) -m pip install --disable-pip-version-check --no-deps -r requirements-train.txt
	@touch $@
