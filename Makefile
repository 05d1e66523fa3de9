# `make` lists the targets. Everything is installed into .venv, with exact versions and hashes.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= $(shell for name in python3.12 python3.11 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && echo "$$name" && break; done)
PYTHON_3_12 ?= $(shell for name in python3.12 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.12.*/bin/python3.12 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null && echo "$$name" && break; done)
BIN := .venv/bin
CONNECT := .make/connect-venv/bin
POSTS ?= 11000
SEED ?= 1
# Those of the two that were given.
GIVEN = $(foreach name,POSTS SEED,$(if $(filter file,$(origin $(name))),,$(name)=$($(name))))
# What is installed is compiled when it is first imported: most of it never is.
PIP_INSTALL := pip install --quiet --disable-pip-version-check --no-compile
# Python keeps what it has compiled, also where an image turns that off: each of the hundreds of starts would compile again.
unexport PYTHONDONTWRITEBYTECODE
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help run run-stream stack mariadb check-landing test test-fast test-stack test-bundle bundle-snapshots contract test-airflow test-jobs connect check check-infrastructure format bench bench-large lock wheel pictures chromium clean distclean

help: ## print this list
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-21s %s\n", $$1, $$2}' Makefile

##@ Set up and run

run: .make/local .make/jars/.classes build/landing ## set up, generate 11,000 dirty posts, clean them, print the answers, write build/report.html
	JAVA_TOOL_OPTIONS="$${JAVA_TOOL_OPTIONS:--XX:TieredStopAtLevel=1}" \
		$(BIN)/python -m local batch --landing build/landing --warehouse build/warehouse --report build/report.html
	@echo "report: build/report.html"

run-stream: .make/local .make/jars/.classes build/landing ## send the same posts through a local Kinesis, clean the streams, print the answers
	rm -rf build/stream
	JAVA_TOOL_OPTIONS="$${JAVA_TOOL_OPTIONS:--XX:TieredStopAtLevel=1}" \
		$(BIN)/python -m local stream --database build/source.db --warehouse build/stream

stack: .make/local .make/jars/.stack mariadb ## run the whole system, from MariaDB to S3 and Kinesis, until Ctrl-C (installs Debian's MariaDB if it is missing)
	$(BIN)/python -m local stack --folder build/stack --posts $(POSTS) --seed $(SEED)

##@ Test
test: .make/dev .make/jars/.classes ## run the test suite
	@echo "running the tests on two workers: the first results come when all are collected"
	$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --ignore tests/stack --ignore tests/bundle/run --ignore tests/airflow

test-fast: .make/dev ## run the tests that need no Java
	@echo "running the tests that need no Java on two workers"
	$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder -m "not java" --ignore tests/stack --ignore tests/bundle/run --ignore tests/airflow

test-stack: .make/dev .make/jars/.stack mariadb ## test the whole system (installs Debian's MariaDB if it is missing)
	JAVA_TOOL_OPTIONS="$${JAVA_TOOL_OPTIONS:--XX:TieredStopAtLevel=1}" $(BIN)/python -m pytest -n 2 --dist loadfile tests/stack

test-bundle: .make/dev .make/jars/.complete .make/minilake ## test the batch job as deployed, on a workspace emulator (minilake)
	$(BIN)/python -m pytest tests/bundle/run

test-airflow: .make/dev .make/jars/.complete .make/minilake .make/airflow ## test the DAG in Airflow, against a workspace emulator
	$(BIN)/python -m pytest -n 2 --dist loadgroup tests/airflow

test-jobs: .make/dev .make/jars/.complete .make/minilake .make/airflow ## run test-bundle and test-airflow in parallel
	$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder tests/bundle/run tests/airflow

##@ Check
check: .make/dev ## check format, lint, types and import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-infrastructure: .make/dev .make/infrastructure ## check the CloudFormation templates with cfn-lint, checkov and own checks
	.make/infrastructure-venv/bin/cfn-lint infrastructure/templates/*.yaml
	.make/infrastructure-venv/bin/checkov --config-file infrastructure/checkov.yaml
	$(BIN)/python -m infrastructure check

format: .make/dev ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

##@ Measure
bench: .make/dev .make/jars/.complete ## measure speed, write the pages in benchmarks/ (about an hour)
	$(BIN)/python -m benchmarks.rules
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.senders
	$(BIN)/python -m benchmarks.stream_throughput

bench-large: .make/dev .make/jars/.complete ## measure one million and ten million posts (an hour, 25 GB of disk)
	$(BIN)/python -m benchmarks --beside --heap 2g --rounds 1 \
		--sizes 1000000 10000000 --histories --output benchmarks/large.md

##@ Databricks
wheel: .make/dev ## build the library's wheel in dist/
	$(BIN)/python -m hatchling build -t wheel

bundle-snapshots: .make/dev ## save the resolved bundle of each target for the tests (needs the Databricks CLI, signed in)
	$(BIN)/python -m tests.bundle.snapshots

contract: .make/local ## write docs/contract.odcs.yaml, the tables as an Open Data Contract
	$(BIN)/python -m local.contract.contract_file

connect: .make/connect ## set up databricks-connect for an editor
	@echo "interpreter for the editor: $(CONNECT)/python (docs/operations/workspace.md has an example)"

##@ Project
lock: .make/dev ## update requirements/*.txt from pyproject.toml (exact versions and hashes)
	$(BIN)/pip install --quiet uv
	for group in client local deploy minilake airflow infrastructure dev; do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --upgrade --group pyproject.toml:$$group -o requirements/$$group.txt; done
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade \
		--constraints requirements/local.txt --group pyproject.toml:seed -o requirements/seed.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
		--no-emit-index-url --no-header --upgrade --group pyproject.toml:connect -o requirements/connect.txt

pictures: build/report.html chromium ## draw docs/pictures/ from build/report.html (installs Debian's Chromium if it is missing)
	$(BIN)/python docs/pictures/draw.py

clean: ## remove build/ and dist/
	rm -rf build dist

distclean: clean ## remove .venv, .make and caches, too
	rm -rf .venv .make .pytest_cache .mypy_cache .ruff_cache .hypothesis

build/report.html:
	$(MAKE) run

build/landing: | .make/local check-landing
	@echo "making a source of $(POSTS) posts, and the files that the sink would write of it"
	rm -f build/source.db
	$(BIN)/python -m emulation generate --posts $(POSTS) --seed $(SEED) --database build/source.db \
		--landing build/landing --delivery dirty
	@echo "POSTS=$(POSTS) SEED=$(SEED)" >build/landing.made

# A landing that is there is not replaced: tables are made of it, and posts may have been erased from both.
check-landing:
	@[ -e build/landing ] || exit 0; \
	made="$$(cat build/landing.made 2>/dev/null || echo "unknown POSTS and SEED")"; \
	for given in $(GIVEN); do case " $$made " in *" $$given "*) ;; *) \
		echo "error: build/landing was made with $$made, not $(strip $(GIVEN)): make clean $(MAKECMDGOALS) $(strip $(GIVEN))" >&2; \
		exit 2;; esac; done; \
	echo "using build/landing, made with $$made"

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "error: Python 3.11 or 3.12 is needed, and none was found; name one with PYTHON=…" >&2; exit 1; }
	"$(PYTHON)" -m venv .venv

.make/local: .venv/bin/python requirements/local.txt pyproject.toml
	@mkdir -p .make
	@echo "installing what one machine needs into .venv: some minutes the first time"
	$(BIN)/$(PIP_INSTALL) --require-hashes -r requirements/local.txt
	$(BIN)/$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.make/dev: .make/local requirements/dev.txt
	@echo "installing what the tests need into .venv"
	$(BIN)/$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

.make/connect: requirements/connect.txt pyproject.toml
	@[ -n "$(PYTHON_3_12)" ] || { echo "error: Python 3.12 is needed, as on Databricks Runtime 18, and none was found; name one with PYTHON_3_12=…" >&2; exit 1; }
	@mkdir -p .make
	"$(PYTHON_3_12)" -m venv .make/connect-venv
	$(CONNECT)/$(PIP_INSTALL) --require-hashes -r requirements/connect.txt
	$(CONNECT)/$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	$(CONNECT)/python -c 'import databricks.connect, pinterest_transforms.analysis.answers'
	@touch $@

.make/minilake: .venv/bin/python requirements/minilake.txt
	@mkdir -p .make
	@echo "installing a workspace emulator into .make/minilake-venv"
	"$(PYTHON)" -m venv .make/minilake-venv
	.make/minilake-venv/bin/$(PIP_INSTALL) --require-hashes -r requirements/minilake.txt
	@touch $@

.make/airflow: .venv/bin/python requirements/airflow.txt
	@mkdir -p .make
	@echo "installing Airflow into .make/airflow-venv: about two minutes"
	"$(PYTHON)" -m venv .make/airflow-venv
	.make/airflow-venv/bin/$(PIP_INSTALL) --require-hashes -r requirements/airflow.txt
	@touch $@

.make/infrastructure: .venv/bin/python requirements/infrastructure.txt
	@mkdir -p .make
	@echo "installing linters into .make/infrastructure-venv"
	"$(PYTHON)" -m venv .make/infrastructure-venv
	.make/infrastructure-venv/bin/$(PIP_INSTALL) --require-hashes -r requirements/infrastructure.txt
	@touch $@

.make/jars/.complete: .make/local local/runtime/delta_jars.txt
	$(BIN)/python -m local jars >/dev/null
	@touch $@

.make/jars/.classes: .make/jars/.complete
	JAVA_TOOL_OPTIONS="-XX:TieredStopAtLevel=1" $(BIN)/python -m local classes
	@touch $@

.make/jars/.stack: .make/local local/stack/kafka_jars.txt local/stack/s3a_jars.txt
	$(BIN)/python -m local jars --stack >/dev/null
	@touch $@

mariadb:
	@[ -x "$$(PATH="$$PATH:/usr/sbin" command -v mariadbd)" ] || { $(AS_ROOT) apt-get update -qq && \
		$(AS_ROOT) apt-get install -y -qq --no-install-recommends mariadb-server >/dev/null; }

chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null || { $(AS_ROOT) apt-get update -qq && \
		$(AS_ROOT) apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; }
