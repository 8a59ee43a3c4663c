# Two commands are the door: `make run` and `make test`. Each does its own set-up; run
# again, both start in seconds and download nothing.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
AVATAR := $(BIN)/avatar

.PHONY: run test check audit lock clean chromium postgresql

run: $(VENV)/.run
	@$(AVATAR) models pull
	@$(AVATAR) serve --open

test: $(VENV)/.test chromium postgresql
	@$(AVATAR) models pull --for en,zh,es
	@$(AVATAR) models pull smollm2-135m speaker-ge2e speaker-campplus speaker-dvector
	$(BIN)/python -m pytest

# The browser tests want a Chromium, and Playwright's driver libatomic; those of docs/http.md
# want curl. Where they cannot be had, those tests are skipped, and say so.
chromium:
	@{ command -v chromium && command -v curl && /sbin/ldconfig -p | grep libatomic.so.1; } >/dev/null 2>&1 \
	  || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium curl libatomic1; } >/dev/null 2>&1 \
	  || echo "make: chromium, curl and libatomic1 are not all here and could not be installed: tests may be skipped" >&2

# The store is tested on a real PostgreSQL server too, which the tests start by themselves.
postgresql:
	@{ command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 \
	  || { apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; } >/dev/null 2>&1 \
	  || echo "make: PostgreSQL is not here and could not be installed: its tests are skipped" >&2

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

# Known weaknesses of what is locked, told by an advisory service on the network. Not every
# machine may reach it, so it is no part of `check`, and says so where nothing was audited.
audit: $(VENV)/.test
	@$(BIN)/uv tool run pip-audit --disable-pip --require-hashes --progress-spinner off \
	  --format json --requirement requirements/run.txt 2>/dev/null | $(BIN)/python .ci/audit

# The locked requirements, then the package itself, which is only linked.
$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/.made
	$(PIP) install --quiet --require-hashes -r requirements/run.txt
	$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt requirements/torch.txt requirements/cluster.txt $(VENV)/.run
	$(PIP) install --quiet --require-hashes -r requirements/test.txt
	$(PIP) install --quiet -r requirements/torch.txt \
	  || echo "make: PyTorch could not be installed: tests of the neural face will be skipped" >&2
	$(PIP) install --quiet --require-hashes -r requirements/cluster.txt \
	  || echo "make: Ray could not be installed: tests of the cluster will be skipped" >&2
	@touch $@

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { echo "make: Python 3.11 is missing; or name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "make: $(PYTHON) cannot make a virtual environment; on Debian: apt install python3.11-venv" >&2; exit 1; }
	@touch $@

# New locks after a change of pyproject.toml or requirements/*.in. They carry hashes and
# no address, so that any index or mirror serves.
COMPILE := uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
  --no-emit-index-url --no-annotate --no-header --upgrade
lock: $(VENV)/.test
	cd requirements && ../$(BIN)/$(COMPILE) ../pyproject.toml run.in --output-file run.txt
	cd requirements && ../$(BIN)/$(COMPILE) test.in --output-file test.txt
	cd requirements && ../$(BIN)/$(COMPILE) cluster.in --output-file cluster.txt

clean:
	rm -rf $(VENV) .ruff_cache .pytest_cache answer.mp4
