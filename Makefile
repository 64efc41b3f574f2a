# Everything starts here. Each target sets up what it needs; Python 3.11 or newer is all you bring.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEMPLATES := wagtail_ma/templates example_site/company/templates example_site/templates
# How many processes share the suite: as many as there are cores, or say how many (0: none but this one).
PROCESSES ?= auto
# How many processes share the browser tests; each has a display, a site and a Chromium of its own.
BROWSERS ?= 2
POSTGRES ?= postgres://postgres@127.0.0.1:5432/postgres

.PHONY: help demo demo-reset test test-postgres test-browser check fix bench js messages screenshots clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(VENV)/runtime: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing wagtail_ma and what it needs ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable .
	@touch $@

$(VENV)/development: $(VENV)/runtime
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --group dev
	@touch $@

demo: $(VENV)/runtime ## Load the example site with six weeks of visitors and start it (Ctrl-C stops it)
	@$(BIN)/python scripts/demo.py

demo-reset: ## Forget the demo's data; the next "make demo" starts afresh
	rm -rf var/demo

test: $(VENV)/development ## Run the suite on SQLite (without the browser)
	@$(BIN)/python -m pytest -q -n $(PROCESSES) -m "not browser" $(ARGS)

test-postgres: $(VENV)/development ## Run the suite on PostgreSQL (POSTGRES=postgres://user@host:port/name)
	@WAGTAIL_MA_DATABASE=$(POSTGRES) $(BIN)/python -m pytest -q -n $(PROCESSES) -m "not browser" $(ARGS)

test-browser: $(VENV)/development ## Drive the example site in Chromium (CHROMIUM=/path, default /usr/bin/chromium)
	@$(BIN)/python -m pytest -q -m browser -n $(BROWSERS) --dist loadfile --no-loadscope-reorder \
		tests/browser $(ARGS)

check: $(VENV)/development ## Lint, layers, types, migrations, translations, templates, built scripts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@$(BIN)/python scripts/messages.py --check
	@$(BIN)/python scripts/build_js.py --check
	@$(BIN)/djhtml --check $(TEMPLATES) || (echo "Run: make fix"; exit 1)
	@$(BIN)/curlylint --parse-only $(TEMPLATES)
	@$(BIN)/python example_site/manage.py check
	@$(BIN)/python example_site/manage.py makemigrations --check --dry-run
	@echo "All checks passed."

fix: $(VENV)/development ## Format code and templates
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .
	@$(BIN)/djhtml $(TEMPLATES) || true

bench: $(VENV)/development ## Measure against the references in benchmarks/reference (ratios); LARGE=1: a million rows
	@$(BIN)/python -m benchmarks.run $(if $(LARGE),--large)

js: $(VENV)/development ## Build the browser scripts from wagtail_ma/static_src (needs Node.js)
	@$(BIN)/python scripts/build_js.py

messages: $(VENV)/development ## Bring the translation catalogues up to date and compile them
	@$(BIN)/python scripts/messages.py

screenshots: $(VENV)/development ## Make the pictures of the documentation (needs Chromium)
	@$(BIN)/python scripts/screenshots.py

clean: ## Remove the virtual environment and everything that was generated
	rm -rf $(VENV) var artefacts build dist *.egg-info
