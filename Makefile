# `make` prints what can be made. Everything is installed into .venv, with exact versions and hashes.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= $(shell for name in python3.12 python3.11 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && echo "$$name" && break; done)
BIN := .venv/bin
POSTS ?= 11000
SEED ?= 1
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help run run-stream test test-stack check format bench lock wheel clean distclean

help: ## print what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

run: .make/local .make/jars/.complete build/landing ## set up, make 11,000 dirty posts, clean them, print the answers, write build/report.html
	JAVA_TOOL_OPTIONS="$${JAVA_TOOL_OPTIONS:--XX:TieredStopAtLevel=1}" \
		$(BIN)/python -m local batch --landing build/landing --warehouse build/warehouse --report build/report.html
	@echo "report: build/report.html"

run-stream: .make/local .make/jars/.complete build/landing ## the same posts through Kinesis: start one, send them, clean the streams, print the answers
	rm -rf build/stream
	JAVA_TOOL_OPTIONS="$${JAVA_TOOL_OPTIONS:--XX:TieredStopAtLevel=1}" \
		$(BIN)/python -m local stream --database build/source.db --warehouse build/stream

test: .make/dev .make/jars/.complete ## set up and run the test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/stack

test-stack: .make/dev ## install MariaDB (Debian's, with apt-get) if it is not there, and test against it
	@[ -x "$$(PATH="$$PATH:/usr/sbin" command -v mariadbd)" ] || { $(AS_ROOT) apt-get update -qq && \
		$(AS_ROOT) apt-get install -y -qq --no-install-recommends mariadb-server >/dev/null; }
	$(BIN)/python -m pytest tests/stack

check: .make/dev ## check format, lint, types and import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .make/dev ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .make/dev .make/jars/.complete ## measure speed against other ways, write the pages in benchmarks/ (about an hour)
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.senders
	$(BIN)/python -m benchmarks.streams

wheel: .make/dev ## build the library's wheel into dist/
	$(BIN)/python -m hatchling build -t wheel

lock: .make/dev ## write requirements/*.txt anew from pyproject.toml (exact versions and hashes)
	$(BIN)/pip install --quiet uv
	for group in client local deploy minilake dev; do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --upgrade --group pyproject.toml:$$group -o requirements/$$group.txt; done

clean: ## remove what was made, but not what was installed
	rm -rf build dist

distclean: clean ## remove what was installed, too
	rm -rf .venv .make .pytest_cache .mypy_cache .ruff_cache .hypothesis

build/landing: | .make/local
	rm -rf build/landing.part build/source.db
	$(BIN)/python -m emulation generate --posts $(POSTS) --seed $(SEED) --database build/source.db \
		--landing build/landing.part --delivery dirty
	mv build/landing.part build/landing

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "error: Python 3.11 or 3.12 is needed, and none was found; name one with PYTHON=…" >&2; exit 1; }
	"$(PYTHON)" -m venv .venv

.make/local: .venv/bin/python requirements/local.txt pyproject.toml
	@mkdir -p .make
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/local.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.make/dev: .make/local requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

.make/jars/.complete: .make/local
	$(BIN)/python -m local jars >/dev/null
	@touch $@
