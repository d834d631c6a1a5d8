# The commands for developers. Each target first installs its missing dependencies; if nothing is missing, this takes no time.
# As root, missing Debian packages are installed as well; for an ordinary user, their names are printed.

SHELL := /bin/sh
SETUP := packaging/setup
BIN := .venv/bin
LINTED := src tests packaging
TYPED := src tests packaging

.PHONY: help planted dist lock test-vm demo screenshots bench faults simulate fuzz test test-fast lint format venv packages clean
.DEFAULT_GOAL := help

help: ## show this list
	@echo "usage: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '%-12s %s\n' "$$name" "$$text"; done

demo: ## play a request, a grant of 15 s, packets and the cut with real parts (needs root)
	@$(SETUP)/packages demo
	@$(SETUP)/venv
	@PYTHONPATH=tests $(BIN)/python -m demo.play

screenshots: ## make the pictures in docs/*.svg from a real session
	@$(SETUP)/venv
	@PYTHONPATH=tests $(BIN)/python -m demo.screenshots docs

bench: ## measure lateness, first packets, changes, bursts and start times against their floors (needs root; ARGS=--quick)
	@$(SETUP)/packages demo
	@$(SETUP)/venv
	@PYTHONPATH=tests:src $(BIN)/python -m bench.run $(ARGS)

faults: ## play every fault with real packets, and write docs/reliability.md (needs root; takes an hour)
	@$(SETUP)/packages test
	@$(SETUP)/venv
	@PYTHONPATH=tests $(BIN)/python -m faults.run $(ARGS)

fuzz: ## send malformed and unusual requests to jitd for an hour (needs root; ARGS="--seconds 600 --seed 1")
	@$(SETUP)/packages demo
	@$(SETUP)/venv
	@PYTHONPATH=tests $(BIN)/python -m fuzz.run $(ARGS)

simulate: ## search in simulated time for sequences that break a promise (SECONDS=60, or SEED=N for one)
	@$(SETUP)/venv
	@cd tests && ../$(BIN)/python -m simulation.run --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED)) $(ARGS)

planted: ## check that the simulation finds each planted fault (takes a quarter of an hour)
	@$(SETUP)/venv
	@$(BIN)/python -m pytest -q -m planted tests/simulation

test: ## run all tests; as an ordinary user, those that need no root, and list the others
	@$(SETUP)/packages test
	@$(SETUP)/venv
	@$(BIN)/python tests/support/run.py all

test-fast: ## run the tests that need neither root nor a virtual machine (under a minute)
	@$(SETUP)/venv
	@$(BIN)/python tests/support/run.py fast

test-vm: ## build the packages, install and use them in a machine of their own (wants root; 15 minutes)
	@$(SETUP)/packages vm
	@$(SETUP)/venv
	@$(BIN)/python tests/support/run.py vm

dist: ## build wheel, source archive, Debian packages, SBOM and checksums into dist/ (RELEASE=trixie for Debian 13)
	@$(SETUP)/packages dist
	@$(SETUP)/venv
	@RELEASE=$(RELEASE) packaging/dist

lock: ## write the lock files of the Debian packages anew (packaging/locks)
	@$(SETUP)/venv
	@packaging/lock

lint: ## check style and types (ruff, mypy --strict)
	@$(SETUP)/venv
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)
	$(BIN)/mypy --strict $(TYPED)

format: ## format the code
	@$(SETUP)/venv
	$(BIN)/ruff format $(LINTED)
	$(BIN)/ruff check --fix $(LINTED)

venv: ## create or update the virtual environment .venv, with jitctl and jitd in .venv/bin
	@$(SETUP)/venv

packages: ## install the Debian packages that the tests need, or list the missing ones
	@$(SETUP)/packages test

clean: ## remove the files that these targets made in this directory (Debian packages stay)
	rm -rf .venv .stamps .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
