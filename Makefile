# Every command of the project. `make help` lists them; caches lie under the user's cache folder.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3.11
BIN := .venv/bin
RUN := .venv/.run
# A module with a control plane waits for a third of its time.
JOBS ?= 3
DEV := .venv/.dev
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

.DEFAULT_GOAL := help
.PHONY: help init fmt lint typecheck imports unit integration e2e test generate verify presubmit tools demo cluster picture sim bench-sidecar bench-reclaim images kind-up kind-down deploy clean distclean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

init: $(DEV) ## Make .venv with everything that development needs

fmt: $(DEV) ## Format the code and apply safe fixes
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: $(DEV) ## Check format and lint rules
	$(BIN)/ruff format --check . && $(BIN)/ruff check .

typecheck: $(DEV) ## Check types strictly
	$(BIN)/mypy

imports: $(DEV) ## Check the directions of imports
	$(BIN)/lint-imports

unit: $(DEV) ## Run the tests that need no control plane
	$(BIN)/pytest tests/unit tests/architecture

integration: $(DEV) tools ## Run the tests of operator, gateway and vehicles on the real control plane
	$(BIN)/pytest tests/integration

e2e: $(DEV) tools ## Run the tests of the installed chart, README's lines included
	$(BIN)/pytest tests/e2e

test: lint typecheck imports tools ## Run every check and every test, JOBS=3 modules at a time
	$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

generate: $(DEV) ## Write every generated file anew: stubs, CRDs, the chart's copies, dashboard, page of metrics
	hack/generate.sh

verify: $(DEV) ## Fail when a generated file is not what `make generate` writes
	$(BIN)/pytest tests/architecture/test_generated_files.py

presubmit: test ## Run all that must hold before a push

tools: $(RUN) ## Build the programs of the control plane and Prometheus, once
	@$(BIN)/python -m parkade_hack.tools controlplane prometheus

demo: $(RUN) ## Run a batch on a real control plane; KEEP=1 leaves it up to look around
	@KEEP=$(KEEP) $(BIN)/python -m parkade_hack.demo

cluster: $(RUN) ## Start a local cluster to type helm and kubectl on, until Ctrl-C
	@$(BIN)/python -m parkade_hack.release

picture: $(DEV) tools ## Play the demo under a real Prometheus and draw docs/pictures/dashboard.svg
	@mkdir -p docs/pictures && $(BIN)/python -m parkade_hack.dashboard.film docs/pictures/dashboard.svg

sim: $(DEV) ## Play a year of one simulated vehicle and a month of 200 through the guard, and draw a day; ARGS="--vehicles 20"
	@$(BIN)/python -m parkade_hack.simulation --picture docs/pictures/sim-day.svg $(ARGS)

bench-sidecar: $(DEV) ## Measure the sidecar against raw onnxruntime and its peers; ARGS="--only texts,stop --rounds 5"
	@PYTHONPATH=benchmarks $(BIN)/python -m parkade_bench $(ARGS)

bench-reclaim: $(DEV) ## Measure how fast the owner has the vehicle back; ARGS="--stops 20", ARGS=--quick
	@PYTHONPATH=benchmarks:tests $(BIN)/python -m parkade_reclaim $(ARGS)

images: ## Build the two container images (Docker)
	docker build -f docker/Dockerfile.operator -t parkade/operator:$(VERSION) .
	docker build -f docker/Dockerfile.agent -t parkade/agent:$(VERSION) .

kind-up: ## Start a kind cluster whose volumes are folders of .run/kind
	mkdir -p .run/kind/store .run/kind/files/default && chmod 0777 .run/kind/store .run/kind/files .run/kind/files/default
	kind create cluster --config kind-config.yaml

kind-down: ## Delete the kind cluster; the folders stay
	kind delete cluster --name parkade

deploy: images ## Install the chart on the kind cluster (docs/install.md)
	kind load docker-image --name parkade parkade/operator:$(VERSION) parkade/agent:$(VERSION)
	kubectl --context kind-parkade apply --server-side -f hack/kind-volumes.yaml
	helm upgrade --install parkade charts/parkade --kube-context kind-parkade --namespace parkade-system \
	  --values charts/parkade/ci/kind-values.yaml --wait

clean: ## Remove run folders and caches of tools in this folder
	rm -rf .run .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

distclean: clean ## Remove .venv and Parkade's caches too; Go's own caches stay (`go clean -cache -modcache`)
	rm -rf .venv "$${PARKADE_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/parkade}"

.venv/bin/python:
	$(PYTHON) -m venv .venv

$(RUN): requirements/run.txt pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/pip check && touch $@

$(DEV): requirements/dev.txt $(RUN)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip check && touch $@
