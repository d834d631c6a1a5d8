# Everything that a developer types. Each target installs what it lacks first; the second time that costs nothing.
# As root, missing Debian packages are installed too; an ordinary user is told which ones to ask for.

SHELL := /bin/sh
SETUP := packaging/setup
BIN := .venv/bin
LINTED := src tests packaging
TYPED := src tests packaging

.PHONY: help planted demo screenshots bench faults simulate fuzz test test-fast lint format venv packages clean
.DEFAULT_GOAL := help

help: ## show this list
	@echo "usage: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '%-12s %s\n' "$$name" "$$text"; done

demo: ## play the main job with real parts: a request, a grant of 15 s, packets, the cut (wants root)
	@$(SETUP)/packages demo
	@$(SETUP)/venv
	@PYTHONPATH=tests $(BIN)/python -m demo.play

screenshots: ## make the pictures of the README from a true session (docs/*.svg)
	@$(SETUP)/venv
	@PYTHONPATH=tests $(BIN)/python -m demo.screenshots docs

bench: ## measure lateness, first packets, changes, bursts and starts beside their floors (wants root; ARGS=--quick)
	@$(SETUP)/packages demo
	@$(SETUP)/venv
	@PYTHONPATH=tests:src $(BIN)/python -m bench.run $(ARGS)

faults: ## break everything that can break, with real packets, and write docs/reliability.md (wants root; an hour)
	@$(SETUP)/packages test
	@$(SETUP)/venv
	@PYTHONPATH=tests $(BIN)/python -m faults.run $(ARGS)

fuzz: ## send jitd what nobody would write, for an hour (wants root; ARGS="--seconds 600 --seed 1")
	@$(SETUP)/packages demo
	@$(SETUP)/venv
	@PYTHONPATH=tests $(BIN)/python -m fuzz.run $(ARGS)

simulate: ## search for sequences that break a promise, without root, in simulated time (SECONDS=60, or SEED=N for one)
	@$(SETUP)/venv
	@cd tests && ../$(BIN)/python -m simulation.run --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED)) $(ARGS)

planted: ## see that the simulation finds each fault that is put into jitd on purpose (a quarter of an hour)
	@$(SETUP)/venv
	@$(BIN)/python -m pytest -q -m planted tests/simulation

test: ## run all tests; as an ordinary user, those that work without root, and say what could not run
	@$(SETUP)/packages test
	@$(SETUP)/venv
	@$(BIN)/python tests/support/run.py all

test-fast: ## run the tests that need neither root nor a kernel of their own (under a minute)
	@$(SETUP)/venv
	@$(BIN)/python tests/support/run.py fast

lint: ## check style and types (ruff, mypy --strict)
	@$(SETUP)/venv
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)
	$(BIN)/mypy --strict $(TYPED)

format: ## put the code into the project's format
	@$(SETUP)/venv
	$(BIN)/ruff format $(LINTED)
	$(BIN)/ruff check --fix $(LINTED)

venv: ## make or renew the virtual environment .venv, with jitctl and jitd in .venv/bin
	@$(SETUP)/venv

packages: ## install the Debian packages that the tests need, or say which are missing
	@$(SETUP)/packages test

clean: ## remove what these targets made in this directory (Debian packages stay)
	rm -rf .venv .stamps .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
