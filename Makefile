# dexsim: `make demo` shows it, `make test` proves it. Both make their own environment first.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# Whatever environment is active, only .venv is used.
# Bytecode is kept: without it every command compiles its imports again, moto alone for a second and a half.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH CONDA_PREFIX PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# uv trusts the certificates that the machine trusts, as pip does; by itself it brings its own.
export UV_SYSTEM_CERTS ?= 1

BIN := .venv/bin
UV := $(BIN)/uv
UV_PIP := $(UV) pip
INTO := --python $(BIN)/python
# On a terminal uv draws its own bars; in a log its list of 200 packages is left out.
BRIEFLY = brief() { if [ -t 2 ]; then "$$@"; else "$$@" 2>&1 | { grep -vE '^ [-+~] ' || true; }; fi; }; brief
SAY = say() { if [ -t 1 ]; then printf '\033[1m%s\033[0m\n' "$$*"; else printf '%s\n' "$$*"; fi; }; say
TESTS ?= tests
JOBS ?= 2
PACKAGES := system sim

# ---------------------------------------------------------------------------------------------------------
##@ Every day

.PHONY: help
help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile; echo

.PHONY: demo
demo: setup ## one scenario on memory and on moto with Anvil, compared, with a report
	@$(SAY) '1/4  The scenario on the memory backend and the model chain'
	@$(BIN)/dexsim run scenarios/smoke.yaml --backend memory --chain model --out runs/demo/memory
	@$(SAY) '2/4  The same scenario on moto and Anvil'
	@$(BIN)/dexsim run scenarios/smoke.yaml --backend moto --chain anvil --out runs/demo/moto
	@$(SAY) '3/4  Are they the same business?'
	@$(BIN)/dexsim compare --business runs/demo/memory runs/demo/moto
	@$(SAY) '4/4  The report'
	@$(BIN)/dexsim report runs/demo/memory

.PHONY: compiled
compiled: setup ## machine code of the modules that an order meets; runs take two thirds of the time
	@$(BIN)/python -m sim.compiled

.PHONY: test
test: setup check compiled test-contracts ## set up, check, and run the whole suite
	@$(SAY) 'Running the tests'
	@$(BIN)/python -m pytest $(TESTS) -n $(JOBS) --dist loadfile --ignore tests/test_house.py || \
	  { code=$$?; [ $$code = 5 ] && [ -z "$$(git ls-files 'tests/**/test_*.py')" ] && echo 'No other tests yet.' || exit $$code; }

.PHONY: test-contracts
test-contracts: setup ## Solidity: committed artifacts are what the source compiles to; forge tests
	@$(SAY) 'Contracts: are the committed artifacts those of the source?'
	@node contracts/script/build.mjs --check
	@$(SAY) 'Contracts: is the storage of the Vault where it was?'
	@node contracts/script/layout.mjs
	@$(SAY) 'Contracts: forge'
	@cd contracts && "$$(ls -d node_modules/@foundry-rs/forge-*/bin/forge | head -1)" test --summary

.PHONY: contracts
contracts: test-contracts ## all of the contracts: test-contracts, gas per fill, slither, Ape on Anvil: a few minutes
	@$(SAY) 'Contracts: gas per fill on Anvil, as committed and within its bounds'
	@$(BIN)/python benchmarks/gas.py --check
	@$(SAY) 'Contracts: slither, against the reviewed findings'
	@$(BIN)/python contracts/script/slither.py
	@$(SAY) 'Contracts: Ape'
	@$(BIN)/python contracts/ape/run.py test -q

.PHONY: contracts-deep
contracts-deep: setup ## 10,000 fuzz runs, planted bugs, coverage of the contracts: half an hour
	@cd contracts && FOUNDRY_PROFILE=deep "$$(ls -d node_modules/@foundry-rs/forge-*/bin/forge | head -1)" test --summary
	@$(BIN)/python contracts/script/mutants.py
	@$(BIN)/python contracts/script/coverage.py

.PHONY: check lint types imports template house
check: lint types imports template house ## lint, types, who imports whom, template, house rules: about a minute

lint: setup
	@$(SAY) 'Lint and format'
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo 'Not formatted. Run: make format'; exit 1; }
types: setup
	@$(SAY) 'Types'
	@$(BIN)/mypy $(PACKAGES)
imports: setup
	@$(SAY) 'Who imports whom'
	@$(BIN)/lint-imports --no-logo
template: setup
	@$(SAY) 'Infrastructure'
	@$(BIN)/cfn-lint system/template.yaml
	@echo 'cfn-lint is content.'
house: setup
	@$(SAY) 'House rules'
	@$(BIN)/python -m pytest -q tests/test_house.py

.PHONY: format
format: setup ## let ruff mend what it can
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

# ---------------------------------------------------------------------------------------------------------
##@ Now and then

.PHONY: setup
setup: | needs ## make .venv and install everything; the others call it, and a second run installs nothing
setup: .venv/.stamp-project $(if $(wildcard contracts/package-lock.json),contracts/node_modules/.stamp)
	@$(if $(filter setup,$(MAKECMDGOALS)),echo 'Everything is installed; the command is $(BIN)/dexsim',:)

.PHONY: test-localstack
test-localstack: setup build/ministack/.stamp build/localstack/.stamp ## the template on MiniStack and LocalStack, without Docker: seven minutes (DEEP=1: twelve)
	@$(SAY) 'Starting MiniStack and LocalStack on 127.0.0.1, deploying the template, running the tests against them'
	@$(BIN)/python -m sim.stack.emulator $(BIN)/python -m pytest -q tests/emulator tests/conformance \
	  -m 'localstack$(if $(DEEP),, and not deep)' $(WRITE)

.PHONY: test-deep
test-deep: setup check compiled test-contracts ## everything that takes minutes: many seeds, many examples
	@DEXSIM_EXAMPLES=deep $(BIN)/python -m pytest $(TESTS) -n $(JOBS) --dist loadfile -m ''

.PHONY: bench
bench: setup compiled ## benchmarks against the committed baselines (BENCH=--quick for fewer orders)
	@$(BIN)/python benchmarks/run.py --check $(BENCH)

.PHONY: soak
soak: setup ## 1,000,000 random commands on 32 markets of all kinds, identities checked after each (SOAK=--seed 2)
	@$(SAY) 'Soaking'
	@$(BIN)/python -m benchmarks.soak $(SOAK)

.PHONY: hunt
hunt: setup ## plant each defect of tests/planted and see which invariant notices: half an hour (HUNT=--runs 50)
	@$(SAY) 'Hunting planted defects'
	@nice $(BIN)/dexsim hunt tests/planted --workers $(JOBS) $(HUNT)

.PHONY: golden
golden: setup ## rewrite the golden files; read the diff before you commit it
	@$(BIN)/python -m pytest tests/golden --golden-write -q
	@git --no-pager diff --stat -- tests/golden

.PHONY: peers
peers: .venv/.stamp-peers ## install other simulators, for benchmarks/peers

.PHONY: lock
lock: $(UV) ## write the lock files anew from pyproject.toml (UPGRADE=1 takes newer versions)
	@$(SAY) 'Locking'
	@$(LOCK) --universal $(foreach e,system sim contracts dev,--extra $(e)) -o requirements.lock
	@$(LOCK) --python-version 3.11 --extra peers --constraint requirements.lock -o requirements-peers.lock
	@$(LOCK) --python-version 3.11 --extra ministack -o requirements-ministack.lock
	@$(LOCK) --python-version 3.11 --extra localstack -o requirements-localstack.lock
	@git --no-pager diff --stat -- 'requirements*.lock'
LOCK = $(UV_PIP) compile pyproject.toml --quiet --generate-hashes --no-emit-index-url --no-config \
  --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## remove the environment, caches and runs
	rm -rf .venv contracts/node_modules runs build .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------------------------------------------------
# Set-up. Stamps live inside what they vouch for, so that deleting .venv or node_modules is enough.

.PHONY: needs
needs:
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null || { \
	  echo "dexsim needs Node.js 20 or newer with npm (Anvil, forge and the Solidity compiler come from it)."; \
	  echo "Here 'node' is $$(node --version 2>/dev/null || echo missing), 'npm' is $$(npm --version 2>/dev/null || echo missing)."; \
	  exit 1; }

# A distribution's own Python comes first: it is built with its profile, and runs take a sixth less time
# than on one that pyenv compiled. It must be able to make an environment and have what compiled copies need.
.venv/bin/python: | needs
	@python=; for name in $${PYTHON:-} /usr/bin/python3.12 /usr/bin/python3.11 python3 python3.12 python3.11; do \
	  if command -v "$$name" >/dev/null && "$$name" -c 'import ensurepip, os, sys, sysconfig; \
	    headers = os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")); \
	    fits = (3, 11) <= sys.version_info[:2] <= (3, 12); \
	    sys.exit(not (fits and (headers or not sys.argv[1].startswith("/usr/bin/"))))' "$$name" 2>/dev/null; \
	  then python=$$name; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo "dexsim needs Python 3.11 or 3.12, and 'python3' is $$(python3 --version 2>/dev/null || echo missing)."; \
	  echo "Install one with venv (Debian and Ubuntu: apt install python3-venv), or name it: make PYTHON=/path/to/python3.11 setup"; exit 1; fi; \
	$(SAY) "Making .venv with $$($$python --version) ($$(command -v "$$python"))"; \
	$$python -m venv .venv || { rm -rf .venv; \
	  echo "'$$python -m venv' failed; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

# uv itself comes from the lock, too, with its hashes.
$(UV): | .venv/bin/python
	@$(BIN)/python -m ensurepip --upgrade >/dev/null 2>&1 || true
	@awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements.lock > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --require-hashes -r .venv/uv.txt

.venv/.stamp-python: requirements.lock | $(UV)
	@$(SAY) "Installing Python packages ($$(grep -cE '^[a-z0-9]' requirements.lock) in the lock)"
	@$(BRIEFLY) $(UV_PIP) sync $(INTO) --require-hashes requirements.lock
	@touch $@

.venv/.stamp-project: .venv/.stamp-python pyproject.toml
	@$(UV_PIP) install $(INTO) --quiet --offline --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.stamp-peers: requirements-peers.lock .venv/.stamp-project
	@$(SAY) 'Installing other simulators'
	@$(BRIEFLY) $(UV_PIP) install $(INTO) --require-hashes --requirements requirements-peers.lock
	@touch $@

build/ministack/.stamp: requirements-ministack.lock | $(UV)
	@$(SAY) 'Installing MiniStack into an environment of its own'
	@$(BIN)/python -m venv build/ministack
	@$(BRIEFLY) $(UV_PIP) install --python build/ministack/bin/python --require-hashes --requirements requirements-ministack.lock
	@touch $@

build/localstack/.stamp: requirements-localstack.lock sim/stack/localstack.py | $(UV)
	@$(SAY) 'Installing LocalStack into an environment of its own'
	@$(BIN)/python -m venv build/localstack
	@$(BRIEFLY) $(UV_PIP) install --python build/localstack/bin/python --require-hashes --requirements requirements-localstack.lock
	@$(BIN)/python -m sim.stack.localstack
	@touch $@

contracts/node_modules/.stamp: contracts/package-lock.json | needs
	@$(SAY) 'Installing npm packages (Anvil, forge, the Solidity compiler)'
	@npm ci --prefix contracts --no-audit --no-fund
	@touch $@
