# `make help` lists what can be done; every target but help, clean and stop sets up first, once.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv/bin
LOCK := $(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
export PATH := $(CURDIR)/$(VENV):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup record test test-all test-frameworks node stop lint format gas bench fuzz faults mutate mutate-core prove reference docs release audit ends web artifacts lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## set everything up inside this folder, locked by hash
	@$(PYTHON) tools/bootstrap.py

record: setup ## the main job: train, record, have a second group reproduce, verify
	@$(VENV)/python examples/quickstart/record.py

test: setup ## the tests that need no node, and one run of each main job: three minutes on two cores
	@$(VENV)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 -m "fast or evm or smoke" tests/fast tests/evm tests/findings tests/live/test_smoke.py $(ARGS)

test-all: setup ## every test; ARGS="tests/node -k retract" for a part
	@$(VENV)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(ARGS)

test-frameworks: setup ## the integrations with the real PyTorch, TensorFlow, JAX, Lightning, Keras, scikit-learn, Transformers, Optuna
	@$(VENV)/python tools/frameworks.py $(ARGS)

node: setup ## start the embedded devnet
	@$(VENV)/blockchaintracer node start

stop: ## stop the embedded devnet; its chain is kept
	@test ! -x $(VENV)/blockchaintracer || $(VENV)/blockchaintracer node stop

lint: setup ## style, types, import rules, Solidity format, slither, shipped artifacts, vectors
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/lint-imports
	@$(VENV)/python tools/structure.py
	@forge fmt --check contracts interfaces
	@$(VENV)/python tools/artifacts.py --check
	@$(VENV)/python -m tools.conformance --check
	@$(VENV)/python tools/web.py --check
	@$(VENV)/python tools/slither.py

format: setup ## rewrite Python and Solidity in the project's style
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .
	@forge fmt contracts interfaces

gas: setup ## gas beside EAS, Verax, Sign and the floor; UPDATE=1 rewrites the snapshot
	@$(VENV)/python -m benchmarks.gas $(if $(UPDATE),--update)

bench: setup ## speed of the client beside its peers, and the verdicts on hostile input; FULL=1 also on 12 s blocks
	@$(VENV)/python -m benchmarks.client
	@$(VENV)/python -m benchmarks.hostile
	@$(if $(FULL),$(VENV)/python -m benchmarks.slow_chain,:)

fuzz: setup ## the registry against its model, a million steps; Python against the SDK, 100,000 random files
	@$(VENV)/python tools/fuzz.py $(ARGS)
	@$(VENV)/python -m tools.differ

faults: setup ## kill, reorganise, lie and fill the disk, in full: 200 kills, 400 records by eight processes
	@$(VENV)/python tools/faults.py $(ARGS)

mutate: setup ## whether a test notices small changes to a contract: one in eight; FULL=1 every one, FILES=... of some
	@$(VENV)/python tools/mutate.py $(if $(FULL),,--sample 8) $(FILES) $(ARGS)

mutate-core: setup ## whether a test notices small changes to the verifier: forty of each file; ARGS="--count 8 verify/copies.py"
	@$(VENV)/python tools/mutate_core.py $(ARGS)

prove: setup ## prove the registry with halmos, which it installs; ARGS=IdsProof proves one contract of tests/symbolic
	@$(VENV)/python tools/prove.py $(ARGS)

reference: setup ## render the contracts' NatSpec as a book, Markdown and HTML
	@$(VENV)/python tools/reference.py

docs: setup ## build the documentation as a site, every link checked; ARGS=serve shows it while you write
	@$(VENV)/python tools/docs.py $(ARGS)

release: setup ## build wheel, npm packages, documentation and bill of materials twice to the same bytes, into dist/
	@$(VENV)/python tools/release.py

ends: setup ## the client with the oldest and with the newest packages that it allows
	@$(VENV)/python tools/ends.py $(ARGS)

web: setup ## build the page that verifies in a browser, twice to the same bytes, and print its SHA-256
	@$(VENV)/python tools/web.py

audit: setup ## whether a locked Python package is known to be vulnerable
	@$(VENV)/python tools/release.py audit

artifacts: setup ## rewrite the ABI, bytecode and gas that the client ships
	@$(VENV)/python tools/artifacts.py

lock: setup ## resolve the Python packages anew; UPGRADE=1 takes the newest
	@$(LOCK) pyproject.toml --extra dev $(if $(UPGRADE),--upgrade) --output-file locks/dev.txt
	@printf 'setuptools\nuv\n' | $(LOCK) - --constraint locks/dev.txt --no-annotate --output-file locks/bootstrap.txt
	@printf 'halmos==0.3.0\nrich<14.1\n' | $(LOCK) - --no-annotate $(if $(UPGRADE),--upgrade) --output-file locks/prove.txt
	@printf 'cosmic-ray==8.7.0\n' | $(LOCK) - --no-annotate $(if $(UPGRADE),--upgrade) --output-file locks/mutate.txt
	@printf 'mkdocs>=1.6,<2\nmkdocs-material>=9.6\nmkdocstrings[python]>=0.30\n' | $(LOCK) - --no-annotate $(if $(UPGRADE),--upgrade) --output-file locks/docs.txt
	@printf 'cyclonedx-bom>=7\npip-audit>=2.9\n' | $(LOCK) - --no-annotate $(if $(UPGRADE),--upgrade) --output-file locks/release.txt
	@# PyTorch comes by pip; Ape holds NumPy back, TensorFlow needs a newer one
	@printf 'torch ; python_version < "3"\n' > .toolchain/without-torch.txt
	@grep '==' locks/dev.txt | grep -v '^numpy==' | sed 's/ *\\$$//' > .toolchain/as-in-dev.txt
	@$(LOCK) pyproject.toml --extra frameworks --overrides .toolchain/without-torch.txt --constraint .toolchain/as-in-dev.txt --no-annotate $(if $(UPGRADE),--upgrade) --output-file locks/frameworks.txt

clean: ## remove the environment and build output; keys, chain and store in .blockchaintracer stay
	-@$(MAKE) --no-print-directory stop
	@rm -rf .venv .toolchain node_modules benchmarks/peers/node_modules tests/support/entry_point/node_modules tests/support/hardhat/node_modules tools/typedoc/node_modules .build .pytest_cache .mypy_cache .ruff_cache
