# Frontdesk. `make run` installs what is missing, brings the models and starts everything.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install models run down test lint bench bench-ingest bench-embedding bench-documents bench-retrieval bench-serving bench-style clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

# pip names some two hundred packages: on a terminal they share one line
ifneq ($(MAKE_TERMOUT),)
PROGRESS := awk '/Collecting|Downloading|Processing|Installing/ \
	{ sub(/^ +/, ""); printf "\r\033[K  %.70s", $$0; fflush() } END { printf "\r\033[K" }'
else
PROGRESS := cat > /dev/null
endif

help:
	@echo "make run     install, bring the models, start everything (Ctrl-C stops it)"
	@echo "make down    stop everything"
	@echo "make test    install, bring the models, run the tests"
	@echo "make lint    ruff and mypy"
	@echo "make bench   measure the whole; bench-ingest, -embedding, -retrieval, -documents, -serving, -style: a part of it"
	@echo "make clean   remove the installation and the caches; data/ stays"

run: models
	@echo "Starting Frontdesk."
	@$(BIN)/frontdesk up

down: install
	@$(BIN)/frontdesk down

test: models
	@echo "Running the tests."
	@OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest

lint: install
	@echo "Checking style and types."
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: models
	@echo "Measuring."
	@$(BIN)/python -m tests.benchmarks.all

bench-ingest: models
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	@$(BIN)/python -m tests.benchmarks.freshness
	@$(BIN)/python -m tests.benchmarks.bulk $(if $(DATA),--emanual $(DATA)/emanual)

bench-embedding: models
	@$(BIN)/python -m tests.benchmarks.embedding

bench-serving: models
	@$(BIN)/python -m tests.benchmarks.serving $(if $(QUICK),--quick)

bench-style: models
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	@$(BIN)/python -m tests.benchmarks.style
	@$(BIN)/python -m tests.benchmarks.trainers
	@$(BIN)/python -m tests.benchmarks.swaps

bench-retrieval: models
	@$(BIN)/python -m tests.benchmarks.retrieval

bench-documents: install
	@$(BIN)/python -m tests.benchmarks.documents $(DOCUMENTS)

models: install
	@$(BIN)/frontdesk models pull

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || { \
		echo "Frontdesk needs Python 3.11 or 3.12, but $(PYTHON) is $$($(PYTHON) --version 2>&1 || echo missing);" \
			"name one with: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Installing into $(VENV)."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
		-c constraints.txt -e '.[dev]' | $(PROGRESS)
	@touch $@

clean:
	@echo "Removing the installation and the caches."
	@rm -rf $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -not -path './data/*' -prune -exec rm -rf {} +
