# Everything starts here. `make` alone lists the targets.
#
# Needs make, bash and Python 3.13 (or 3.12), on PATH or under ~/.pyenv/versions. All else is installed below the
# repository: .venv for development, and an environment of its own for each tool whose pins clash with ours.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

SETS := engine runtime sam checkov go docs
UV := .tools/uv/bin/uv
BIN := .venv/bin
SAM := .tools/sam/bin/sam

# Every file is hash-pinned, so that any index which has the file may serve it.
UV_INSTALL_FLAGS := --quiet --require-hashes --index-strategy unsafe-best-match --compile-bytecode
UV_COMPILE_FLAGS := --quiet --universal --python-version 3.12 --generate-hashes --no-header --no-annotate

# sam build runs functions/Makefile and shared/Makefile, which need uv and the runtime's Python, and endpoint/Makefile, which needs
# Go.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/uv/bin:$(CURDIR)/.tools/go/bin:$(PATH)
export GOCACHE := $(CURDIR)/.tools/go/cache
export SAM_CLI_TELEMETRY := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

TEMPLATES := template.yaml $(wildcard infra/*.yaml addons/*/template.yaml)
PYTEST := $(BIN)/python -m pytest

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# --- Set-up ---------------------------------------------------------------------------------------------------------

.PHONY: setup
setup: .venv/.stamp $(SETS:%=.tools/%/.stamp) ## Install every environment; a second run does nothing

.tools/uv/.stamp: requirements/uv.txt
	@echo 'setup: uv'
	@python=; \
	for candidate in python3.13 ~/.pyenv/versions/3.13*/bin/python python3.12 ~/.pyenv/versions/3.12*/bin/python python3; do \
	  if "$$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info[:2] not in {(3, 13), (3, 12)})' \
	      >/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo 'error: no Python 3.13 or 3.12 with venv and ensurepip found on PATH or under ~/.pyenv/versions.' >&2; \
	  echo 'Install one (on Debian and Ubuntu also its -venv package), then run make again.' >&2; \
	  exit 1; \
	fi; \
	"$$python" -m venv --clear .tools/uv
	@PIP_USER=0 .tools/uv/bin/python -m pip install --quiet --require-hashes -r requirements/uv.txt
	@touch $@

# A set's file decides what is installed, no more and no less; a changed file re-installs its set only.
define install
	@echo 'setup: $(notdir $(basename $<))'
	@$(UV) venv --quiet --allow-existing --python .tools/uv/bin/python $(@D)
	@$(UV) pip sync $(UV_INSTALL_FLAGS) --python $(@D)/bin/python $<
endef

.tools/%/.stamp: requirements/%.txt .tools/uv/.stamp
	$(install)
	@touch $@

.venv/.stamp: requirements/dev.txt .tools/uv/.stamp pyproject.toml
	$(install)
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python $(@D)/bin/python --editable .
	@touch $@

.PHONY: requirements
requirements: .tools/uv/.stamp ## Pin again from requirements/*.in (UPGRADE=1 takes new versions)
	@for set in shared/requirements $(addprefix requirements/,uv dev bench fuzz mutation callers cdk terraform $(SETS)); do \
	  echo "pin: $$set"; \
	  $(UV) pip compile $(UV_COMPILE_FLAGS) $(if $(UPGRADE),--upgrade) $$set.in --output-file $$set.txt; \
	done

# --- Checks ---------------------------------------------------------------------------------------------------------

.PHONY: lint
lint: .venv/.stamp ## ruff: rules and format; import-linter: who may import whom
	$(BIN)/lint-imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: types
types: .venv/.stamp ## mypy, strict
	$(BIN)/mypy

.PHONY: unit
unit: .venv/.stamp ## Unit, property and functional tests, with coverage of the layer's package
	$(PYTEST) $(wildcard tests/unit tests/functional) -n 2 -m "not slow" --cov --cov-report=term:skip-covered

.PHONY: build
build: setup ## sam build of the root and of the add-ons that have code, with the repository's own SAM CLI
	@$(SAM) build
	@$(SAM) build --config-env schedules
	@$(SAM) build --config-env endpoint
	@$(SAM) build --config-env replies

.PHONY: template
template: build ## The templates: cfn-lint, sam validate, checkov, and the tests of built artefacts and release
	$(BIN)/cfn-lint $(TEMPLATES) examples/*/template.yaml
	printf '%s\n' $(TEMPLATES) | xargs -n 1 -P 2 $(SAM) validate --lint --region us-east-1 --template
	.tools/checkov/bin/checkov --config-file .checkov.yaml
	$(PYTEST) tests/template tests/release -m "not slow"

.PHONY: package
package: .venv/.stamp ## Wheel and sdist: built, installed into clean environments, imported and used
	$(PYTEST) tests/package

.PHONY: local-engine
local-engine: setup ## The local engine: one canary a correction
	$(PYTEST) local_engine/tests

.PHONY: endpoint
endpoint: dist/endpoint/.stamp ## The local endpoint's binaries and layers, x86_64 and arm64, into dist/endpoint

dist/endpoint/.stamp: .tools/go/.stamp endpoint/Makefile endpoint/go.mod $(wildcard endpoint/*.go endpoint/internal/*/*.go)
	@for each in x86_64:X86 arm64:Arm; do \
	  folder=$(CURDIR)/dist/endpoint/$${each%:*}; \
	  rm -rf "$$folder"; mkdir -p "$$folder"; \
	  $(MAKE) --no-print-directory -C endpoint "build-Endpoint$${each#*:}Layer" ARTIFACTS_DIR="$$folder"; \
	  touch -d 1980-01-01 "$$folder"/extensions "$$folder"/extensions/reprise; \
	  (cd "$$folder" && $(CURDIR)/.tools/go/bin/python -m zipfile -c ../layer-$${each%:*}.zip extensions/); \
	done
	@ls -l dist/endpoint/*/extensions/reprise dist/endpoint/*.zip
	@touch $@

.PHONY: endpoint-test
endpoint-test: endpoint .venv/.stamp ## The local endpoint: gofmt, go vet, its tests, and what its binary writes
	@$(MAKE) --no-print-directory -C endpoint test
	$(PYTEST) tests/endpoint

.PHONY: docs
docs: .tools/docs/.stamp .venv/.stamp ## The documentation site, built strict into dist/site, and its tests
	NO_MKDOCS_2_WARNING=1 .tools/docs/bin/mkdocs build --quiet
	$(PYTEST) tests/site

# Mermaid's one file, without what it was made of.
MERMAID := mermaid-11.17.2
MERMAID_SHA512 := 57a2b70bc101744b0f1595d228c25eea9a50384371b87011afd1af1d7e21878ee501b84c443f6a7f8a042bb2e869143150b31af34feab798073bbdda0a578106

.tools/mermaid/.stamp:
	@echo 'setup: mermaid'
	@mkdir -p $(@D)
	@cd $(@D) && npm pack --silent $(subst -,@,$(MERMAID)) >/dev/null && echo "$(MERMAID_SHA512)  $(MERMAID).tgz" | sha512sum --check --quiet
	@tar -xzf $(@D)/$(MERMAID).tgz -C $(@D) package/dist/mermaid.min.js
	@touch $@

# Needs npm and Chromium; only after a page's diagram has changed.
.PHONY: diagrams
diagrams: .venv/.stamp .tools/mermaid/.stamp ## Draw the pages' Mermaid diagrams for the site
	PYTHONPATH=infra/reference $(BIN)/python -m reprise_reference.diagrams .tools/mermaid/package/dist/mermaid.min.js

.PHONY: e2e
e2e: setup endpoint ## The whole pipeline, deployed into the local engine by the real SAM CLI
	$(PYTEST) tests/e2e -m "not slow"

.PHONY: chromium
chromium: ## A browser for the tests of page and engine, by apt; without one they are skipped, loudly
	@if command -v chromium chromium-browser google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; \
	else echo 'error: install Chromium (Debian and Ubuntu: apt install chromium)' >&2; exit 1; fi

.PHONY: screenshots
screenshots: setup ## Take the docs' pictures of the page again, by its own tests
	REPRISE_SCREENSHOTS=docs/images $(PYTEST) tests/e2e/test_dashboard_page.py tests/e2e/test_workbench_page.py

.tools/js/.stamp: tests/callers/js/package.json tests/callers/js/package-lock.json
	@echo 'setup: js'
	@mkdir -p $(@D) && cp $^ $(@D)
	@npm ci --prefix $(@D) --no-audit --no-fund --ignore-scripts --silent
	@touch $@

.tools/cdk-js/.stamp: infra/cdk/package.json infra/cdk/package-lock.json
	@echo 'setup: cdk-js'
	@mkdir -p $(@D) && cp $^ $(@D)
	@npm ci --prefix $(@D) --no-audit --no-fund --ignore-scripts --silent
	@touch $@

# Needs Node.js and npm on PATH.
.PHONY: callers
callers: setup endpoint .tools/callers/.stamp .tools/js/.stamp ## Every caller against every ending; writes docs/reference/callers.md
	$(PYTEST) tests/callers

.PHONY: prove
prove: .venv/.stamp ## Many seeds of the simulation, on all cores (SEEDS=20000, or 5000-6000; MINUTES=5 ends it then)
	PYTHONPATH=tests $(BIN)/python -m simulation $(if $(JOBS),--jobs $(JOBS)) $(if $(MINUTES),--minutes $(MINUTES)) \
	  --seeds $(if $(findstring -,$(SEEDS)),$(SEEDS),0-$(or $(SEEDS),2000))

.PHONY: explore
explore: .venv/.stamp ## Every state of small worlds, to the last: ledger, gate and queues (SCENE=)
	PYTHONPATH=tests $(BIN)/python -m exploration $(if $(SCENE),--scene $(SCENE))

.PHONY: release
release: build .tools/cdk/.stamp .tools/cdk-js/.stamp ## What is given away, into dist/release: docs/howto/release.md says what each file is
	PYTHONPATH=infra/release:shared $(BIN)/python -m reprise_release


.PHONY: mutants
mutants: .venv/.stamp ## The promise's seeds against mutations of the rules: each must be caught
	$(BIN)/python tests/mutate.py

.PHONY: mutation
mutation: .tools/mutation/.stamp ## A tool's mutations of the core against its own tests: the score (ONLY=retry, JOBS=2); an hour or so
	.tools/mutation/bin/python tests/mutation_score.py --only "$(ONLY)" --jobs $(or $(JOBS),1)

.PHONY: nemeses
nemeses: setup endpoint ## A chaos test with each nemesis by itself, its history checked (CALLS=2000); an hour or so
	REPRISE_NEMESIS_CALLS=$(or $(CALLS),2000) $(PYTEST) tests/e2e/test_nemeses.py -s

.PHONY: drift
drift: .venv/.stamp ## What AWS says of itself now, where we rely on it (BOTOCORE=, AGAINST=, WRITE=1); not in `make test`
	$(BIN)/python tests/drift.py --botocore "$(BOTOCORE)" --against "$(AGAINST)" $(if $(WRITE),--write)

# The end-to-end tests mostly wait, and mind being kept waiting; all else computes beside them, in what time they leave. Each
# target's output is printed whole, when it ends.
.PHONY: test
test: setup endpoint ## Everything above; the end-to-end tests beside the rest
	$(MAKE) --no-print-directory -j 2 --output-sync=target e2e beside

.PHONY: beside
beside: setup
	nice -n 10 $(MAKE) --no-print-directory unit lint types docs package template local-engine endpoint-test

.PHONY: dashboard
dashboard: .venv/.stamp ## Write the dashboard's body into infra/observability.yaml
	PYTHONPATH=infra/dashboard:shared $(BIN)/python -m reprise_dashboard

.PHONY: reference
reference: .venv/.stamp ## Write the pages of docs/reference that follow from code and templates
	PYTHONPATH=infra/reference:shared:cli:local_engine $(BIN)/python -m reprise_reference

# As in `make test`: what waits, and what computes beside it.
.PHONY: verify
verify: setup endpoint release .tools/callers/.stamp .tools/js/.stamp .tools/terraform/.stamp ## What takes longer: many seeds, the mutations, slow targets, one caller's bad calls, a killed replayer, nemeses, the tutorial, every caller, CDK and Terraform
	$(MAKE) --no-print-directory -j 2 --output-sync=target waiting computing

.PHONY: waiting
waiting: setup endpoint
	$(PYTEST) tests/e2e tests/release -m slow
	$(PYTEST) tests/tutorial

.PHONY: computing
computing: setup endpoint
	nice -n 10 $(MAKE) --no-print-directory prove SEEDS=100000 MINUTES=3
	nice -n 10 $(MAKE) --no-print-directory mutants
	nice -n 10 $(BIN)/python bench/slow_targets.py
	nice -n 10 $(BIN)/python bench/one_caller.py
	nice -n 10 $(PYTEST) tests/unit -m slow
	$(MAKE) --no-print-directory callers

# --- Uses -----------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## Local engine, real deploy, chaos test, a short tour (KEEP=1 leaves the engine running)
	$(BIN)/reprise demo $(if $(KEEP),--keep)

# These run the command, or the tests' doubles.
OF_DEV := bench/late_result.py bench/redrive.py bench/restore.py bench/scale.py

.PHONY: bench
bench: setup endpoint .tools/bench/.stamp ## Every benchmark in bench/
	for bench in $(filter-out $(OF_DEV),$(wildcard bench/*.py)); do echo "== $$bench"; .tools/bench/bin/python "$$bench"; done
	for bench in $(OF_DEV); do echo "== $$bench"; $(BIN)/python "$$bench"; done

.PHONY: fuzz
fuzz: .tools/fuzz/.stamp ## Fuzz the reader, guided by coverage, for FUZZ_S seconds (default 3600)
	mkdir -p .tools/fuzz/corpus
	cd .tools/fuzz && PYTHONPATH=$(CURDIR)/shared:$(CURDIR)/tests bin/python $(CURDIR)/tests/fuzz/fuzz_reader.py \
	  corpus $(CURDIR)/tests/fuzz/reader_corpus -max_total_time=$(or $(FUZZ_S),3600) -max_len=8192 -timeout=120

.PHONY: fuzz-lines
fuzz-lines: .tools/fuzz/.stamp ## Fuzz the trust in capture lines, guided by coverage, for FUZZ_S seconds (default 3600)
	mkdir -p .tools/fuzz/lines
	cd .tools/fuzz && PYTHONPATH=$(CURDIR)/shared:$(CURDIR)/tests bin/python $(CURDIR)/tests/fuzz/fuzz_lines.py \
	  lines $(CURDIR)/tests/fuzz/lines_corpus -max_total_time=$(or $(FUZZ_S),3600) -max_len=8192 -timeout=120

.PHONY: forge
forge: .venv/.stamp ## Put LINES forged lines (default 1000000) through unpacker and replayer: none may be invoked
	PYTHONPATH=tests $(BIN)/python tests/line_work.py --lines $(or $(LINES),1000000) --seed $(or $(SEED),1)

.PHONY: clean
clean: ## Remove everything that is not in git
	rm -rf .venv .tools .aws-sam dist .local .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* htmlcov
