# `make` alone lists the targets. Everything is installed into .venv, nothing outside it.
#   make demo ARGS="--check --json"      what stands in ARGS goes to the command
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# Recipes talk on stderr: with ARGS=--json, stdout is the command's one JSON object.
.PHONY: help demo test lint bench bench-here docs chart chart-cluster chart-docs image image-lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed-demo ## Bring up a real OpenSearch and show a month of three organizations in it (ARGS="--check --json")
	@$(BIN)/activity-center demo $(ARGS)

test: $(VENV)/.installed-dev ## Run the tests against a real OpenSearch (ARGS="-m slow", ARGS="tests/docs -n 0")
	@PYTHONPATH=tests/plugins $(BIN)/python -m pytest -p no_skips -n 2 --ignore tests/chart $(ARGS)

lint: $(VENV)/.installed-dev ## Style, types, import directions, generated files, source mappings
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/activity-center generate --check
	@$(BIN)/activity-center sources test

# In an environment of its own, as a user has it: what the development tools bring along is loaded too when it is
# there, and adds 20 MB to a process.
bench: ## Measure collector, audit trail, proposals and live processes and print a table of each (ARGS="audit --quick")
	@$(MAKE) --no-print-directory VENV=$(VENV)-bench bench-here

bench-here: $(VENV)/.installed-bench
	@$(BIN)/python -m bench $(ARGS)

docs: $(VENV)/.installed-docs ## Build the documentation into docs/_build/html, warnings are errors
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo docs/_build/html/index.html

chart: $(VENV)/.installed-dev ## Check the Helm chart: lint, schemas of three Kubernetes versions, golden files, its own test against real processes
	@PYTHONPATH=tests/plugins $(BIN)/python -m pytest -p no_skips -n 2 --ignore tests/chart/test_cluster.py $(ARGS) tests/chart

chart-cluster: $(VENV)/.installed-dev ## Install, upgrade, roll back and remove the chart in a real Kubernetes API server (first time: ten minutes of building)
	@$(BIN)/python -m pytest -m slow $(ARGS) tests/chart

chart-docs: $(VENV)/.installed-dev ## Write the chart's schema, its README and the golden files
	@$(BIN)/python charts/generate_schema.py
	@"$$($(BIN)/python -m tests.chart.provision helm-docs)/helm-docs" --chart-search-root charts
	@$(BIN)/python -m tests.chart.rendering

image: $(VENV)/.installed-dev ## Build the image without a Docker engine and run what is in it (needs root, buildah, mmdebstrap)
	@ACTIVITY_CENTER_NO_SKIPS=1 PYTHONPATH=tests/plugins $(BIN)/python -m pytest -p no_skips -m slow $(ARGS) tests/image

# For Python 3.11, which the image has; --universal holds the hashes of every machine.
image-lock: $(VENV)/.installed-dev ## Write the image's package lists anew, each package with its hashes (deploy/image)
	@lock() { echo '# Every package with its hashes. Made anew by: make image-lock'; \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-annotate --no-emit-index-url "$$@"; }; \
	lock setup.cfg --extra collector --extra sidecar > deploy/image/requirements.txt.new; \
	lock deploy/image/build-requirements.in > deploy/image/build-requirements.txt.new; \
	cd deploy/image; for name in requirements build-requirements; do mv $$name.txt.new $$name.txt; done

clean: ## Remove what was built (.venv and .venv-bench stay; the node: activity-center node wipe)
	rm -rf build dist *.egg-info docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# The stamp is written last, so a venv that was interrupted half way is made again.
# ensurepip is what Debian and Ubuntu keep in a package of its own.
$(VENV)/.created:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14; do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Making $(VENV) with $$("$$python" --version)" >&2; \
	    "$$python" -m venv $(VENV) >&2; touch $@; exit 0; \
	  fi; \
	done; \
	echo "make: found no Python 3.11 or later with its venv module" >&2; \
	echo "  hint: apt-get install python3-venv, or name one: make demo PYTHON=/path/to/python3" >&2; \
	exit 1

$(VENV)/.installed-%: setup.cfg setup.py pyproject.toml $(VENV)/.created
	@echo "Installing the Python packages of [$*] into $(VENV): once, a minute or two" >&2
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet -e '.[$*]' >&2
	@touch $@
