# Terrafine. `make` lists the targets. Each target does its own set-up on Debian and Ubuntu and is quick when that is done.
#
#   make test TORCH_INDEX=https://download.pytorch.org/whl/cpu   takes PyTorch from its CPU index: 0.2 GB instead of the
#                                                                5 GB of the CUDA build that PyPI has for Linux
#   make demo RASTER=my.tif                                      the demo on a raster of your own
#   make test PYTHON=python3.12                                  another Python (3.9 or newer) for the server
#   make test WORKERS=8                                          on more processors; each takes about 2 GB of memory

PYTHON      ?= python3
QGIS_PYTHON ?= /usr/bin/python3
TORCH_INDEX ?=
RASTER      ?=
WORKERS     ?= 2

# A virtual environment knows its own path, and a copied checkout has another: the stamp carries the path's checksum.
PLACE  := $(shell pwd -P | cksum | cut -d ' ' -f 1)
SERVER := .venv/.ready-$(PLACE)
QGIS   := .venv-qgis/.ready-$(PLACE)
PY     := .venv/bin/python
PY_QGIS := .venv-qgis/bin/python

# Its scripts name their interpreter by the whole path, too: in a checkout that has moved it is made anew.
MOVED = test -e $@ || ! ls $(@D)/.ready-* >/dev/null 2>&1 || { echo "This checkout has moved: $(@D) is made anew."; rm -rf $(@D); }

# Threads of torch that spin while they wait starve each other as soon as anything else wants a core.
export OMP_WAIT_POLICY := PASSIVE

# The tests of a file stay together: its servers are started once. Long files come first, so that no worker waits for one.
PYTEST := -m pytest -q --timeout 300 --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
unit qgis-tests: export OMP_NUM_THREADS := 1

PIP  := -m pip install --quiet --disable-pip-version-check --no-warn-script-location
LINK := build/import/terrafine
WORDS := $(patsubst %.ts,%.qm,$(wildcard qgis_plugin/i18n/*.ts))
CODE := shared models server qgis_plugin tools tests __init__.py

# The checkout as a QGIS plugin, in a profile of its own that is thrown away by `make clean`.
PROFILE  := build/qgis/profiles/default/QGIS/QGIS3.ini
QGIS_ENV := QGIS_CUSTOM_CONFIG_PATH="$(CURDIR)/build/qgis" QGIS_PLUGINPATH="$(CURDIR)/build/import"

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help test unit qgis-tests check demo server qgis package translations docs-images clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

test: $(SERVER) $(QGIS) check unit qgis-tests  ## all checks and tests, the real QGIS included

unit: $(SERVER)
	@$(PY) $(PYTEST) tests/integration tests/unit -m "not gpu"

qgis-tests: $(SERVER) $(QGIS) $(WORDS)
	@QT_QPA_PLATFORM=offscreen $(PY_QGIS) $(PYTEST) tests/package tests/qgis

check: $(SERVER) $(LINK)  ## ruff, mypy, the import contracts, bandit and the rules for QGIS plugins
	@$(PY) -m ruff check --quiet $(CODE)
	@$(PY) -m ruff format --check --quiet $(CODE)
	@$(PY) -m mypy
	@.venv/bin/lint-imports --no-logo
	@$(PY) -m bandit --quiet --recursive qgis_plugin shared __init__.py
	@$(PY) tools/plugin_zip.py build/check >/dev/null
	@$(PY) tools/plugin_rules.py build/check/terrafine-*.zip

demo: $(SERVER) $(LINK) $(PROFILE)  ## classify a raster, mark 40 mistakes, write the result into demo/
	@$(QGIS_ENV) .venv/bin/terrafine demo $(if $(RASTER),"$(RASTER)") --out demo --show

server: $(SERVER)  ## run the inference server on this machine
	@.venv/bin/terrafine serve

qgis: $(SERVER) $(QGIS) $(LINK) $(PROFILE) $(WORDS)  ## start QGIS with the plugin of this checkout, in a throw-away profile
	@$(QGIS_ENV) qgis --nologo --profile default

package: $(SERVER) $(WORDS)  ## the plugin's zip and the server's wheel, into dist/
	@rm -rf dist build/lib build/bdist.* && mkdir -p build
	@$(PY) tools/plugin_zip.py dist
	@$(PY) -m build --wheel --outdir dist . >build/wheel.log 2>&1 || { cat build/wheel.log; exit 1; }
	@ls -1 dist

translations:  ## gather the plugin's words for the translators, into qgis_plugin/i18n/*.ts
	@tools/apt_install.sh pyqt5-dev-tools
	@$(PYTHON) tools/translations.py

docs-images: $(SERVER) $(QGIS) $(WORDS)  ## take the pictures of the README and the user guide again (on real imagery)
	@.venv/bin/terrafine demo --out build/demo
	@$(PY) tools/pictures/screenshots.py

clean:  ## remove what was built; the virtual environments .venv and .venv-qgis stay
	rm -rf build dist demo qgis_plugin/i18n/*.qm *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path './.venv*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- set-up ---------------------------------------------------------------------------------------------------------

$(SERVER): pyproject.toml
	@tools/apt_install.sh python3 python3-venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9) and "Terrafine needs Python 3.9 or newer: make PYTHON=...")'
	@echo "Setting up .venv for the server (some minutes the first time) ..."
	@$(MOVED)
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@$(if $(TORCH_INDEX),$(PY) $(PIP) torch torchvision --index-url "$(TORCH_INDEX)")
	@$(PY) $(PIP) --editable '.[backbones,train,dev]'
	@rm -f .venv/.ready-* && touch $@

# QGIS's compiled modules need the numpy that QGIS came with: the constraint keeps pip from ever putting another in front.
$(QGIS): pyproject.toml
	@tools/apt_install.sh qgis python3-qgis python3-zmq python3-venv xvfb xauth
	@echo "Setting up .venv-qgis beside QGIS's own Python ..."
	@$(MOVED)
	@test -x $(PY_QGIS) || $(QGIS_PYTHON) -m venv --system-site-packages .venv-qgis
	@$(PY_QGIS) -c 'import numpy, qgis.core, zmq; print("numpy==" + numpy.__version__)' > .venv-qgis/constraints.txt
	@$(PY_QGIS) $(PIP) --constraint .venv-qgis/constraints.txt pytest pytest-qgis pytest-qt pytest-timeout pytest-xdist hypothesis
	@$(PY_QGIS) $(PIP) --no-deps --editable .
	@rm -f .venv-qgis/.ready-* && touch $@

%.qm: %.ts
	@tools/apt_install.sh qttools5-dev-tools
	@lrelease -silent $< -qm $@

# mypy and QGIS look for a folder called `terrafine`; this checkout may be called anything.
$(LINK):
	@mkdir -p $(@D) && ln -sfn ../.. $@

$(PROFILE):
	@mkdir -p $(@D)
	@printf '[PythonPlugins]\nterrafine=true\n\n[qgis]\ncheckVersion=false\n' > $@
