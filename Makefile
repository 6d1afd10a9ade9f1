# make run    set up .venv, then the whole workflow to the report
# make photos set up .venv, then find categories in the photographs of DATA: luss photos, to which ARGS are given
# make test   set up .venv, then every check
# make test-oldest  what computes, with the oldest versions that pyproject.toml allows
# make test-web     the pages of the gallery and the studio in a browser (Chromium; installed here where root may)
# make pictures     the pictures of docs/photographs.md, of a run on generated scenes (Chromium)
# make fuzz         damaged files of every kind in all readers, 20,000 of them
# make faults       the workflow under 100 faults: full disks, kills, damaged, locked and lost files; some of it needs root
# make test-gpu     what only a machine with an NVIDIA GPU shows
# make test-slurm   the workflow on a SLURM that is set up for it on this machine and taken away again; needs root
#
# DATA is the folder of images; of make run ARGS are given to Snakemake:
#   make run DATA="/path/to/my photographs" ARGS="controls --config classes=12"

ARGS ?=
ifeq ($(origin DATA),command line)
export LUSS_DATA := $(value DATA)
endif
# Modules of other programs are not for this one: .venv has all that it needs.
unexport PYTHONPATH PYTHONHOME
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python3.14; do \
	$$p -I -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/ready

.PHONY: run photos test test-oldest test-gpu test-slurm test-web pictures fuzz faults bars format config lock clean own

run: $(READY)
	@$(BIN)/python -m luss_core run --cores all $(ARGS)

photos: $(READY)
	@$(BIN)/python -m luss_core photos $(ARGS)

test: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist worksteal

# The lower bounds of pyproject.toml as they are: what is installed is the last bug fix of each.
test-oldest:
	rm -rf build/oldest && $(PYTHON) -m venv build/oldest
	sed -n '/^dependencies = \[/,/^\]/ s/^ *"\([a-z0-9-]*\)[^>]*>=\([0-9.]*\).*/\1==\2.*/p' pyproject.toml \
		> build/oldest/constraints.txt
	build/oldest/bin/python -m pip install --quiet --constraint build/oldest/constraints.txt --editable '.[dev]'
	OMP_NUM_THREADS=1 build/oldest/bin/pytest tests/unit tests/method tests/gpu
	rm -rf build/oldest

# Training on a GPU beside training on the processor; some of it wants two.
test-gpu: $(READY)
	$(BIN)/pytest -rs -m gpu tests/gpu

pictures: $(READY)
	$(BIN)/python benchmarks/pictures.py

# `make test` tries some of them.
fuzz: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz 20000

faults: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/faults.py --faults 100

# Whatever happens, nothing of it stays up.
test-slurm: $(READY)
	trap tests/slurm/slurm_down.sh EXIT; trap 'exit 130' INT TERM; $(BIN)/pytest -rs tests/slurm

# Debian's Chromium; without one the tests are skipped and say so.
test-web: $(READY)
	@command -v chromium >/dev/null || test "$$(id -u)" != 0 || { apt-get update && apt-get install --yes --no-install-recommends chromium; } \
		>/dev/null 2>&1 || true
	$(BIN)/pytest -rs tests/web

# What docs/measured.md reports: the ablation and controls over three seeds, then speeds. Hours on two cores.
bars: $(READY)
	$(BIN)/snakemake --cores all --configfile recipes/default.yaml -- controls ablation
	$(BIN)/python benchmarks/controls.py results/embedded/controls/scores.csv
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/timm_extraction.py
	$(BIN)/python benchmarks/evaluator.py
	$(BIN)/python benchmarks/prior.py
	$(BIN)/python benchmarks/step_cost.py
	$(BIN)/python benchmarks/step_cost.py --of methods
	$(BIN)/python benchmarks/diagnostics.py
	$(BIN)/python benchmarks/image_list.py
	$(BIN)/python benchmarks/feature_writer.py
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/cluster.py
	$(BIN)/python benchmarks/dry_run.py
	$(BIN)/python benchmarks/unchanged.py
	$(BIN)/python benchmarks/processes.py
	$(BIN)/python benchmarks/against_lightly.py

# Puts the files into the form that the checks ask for.
format: $(READY)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(BIN)/snakefmt Snakefile rules

# config.yaml from the defaults and docstrings of luss_core/config/.
config: $(READY)
	$(BIN)/python -m luss_core.defaults > config.yaml.new && mv config.yaml.new config.yaml

# requirements.lock from the bounds of pyproject.toml: the newest versions that fit together, tested by `make test`.
# torch brings the CUDA libraries of its own version, where it needs them.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --editable '.[dev]'
	{ echo '# Made by `make lock`.'; build/lock/bin/python -m pip freeze --exclude-editable \
		| grep --extended-regexp --invert-match '^(nvidia|cuda|triton)'; } > requirements.lock
	rm -rf build/lock

# The environment goes; results stay.
clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# A .venv that a second checkout links to, or that was copied along with it, has the package of the first.
own:
	@for file in .venv/lib/python3*/site-packages/__editable___luss_*_finder.py; do \
		other=$$(sed -n "s/.*'luss_core': '\(.*\)\/luss_core'.*/\1/p" "$$file" 2>/dev/null); \
		if test -d "$$other" && test "$$(cd "$$other" && pwd -P)" != "$$(pwd -P)"; then \
			echo "error: .venv belongs to the checkout in $$other: each would run or change the code of the other." \
				"Take it away here (rm -rf .venv), and the same command sets up one of its own" >&2; exit 1; \
		fi; \
	done

$(READY): requirements.lock pyproject.toml | own
	@test -n "$(PYTHON)" || { echo "error: no Python >= 3.11 with venv and pip was found (looked for python3, python3.11" \
		"to python3.14). Install one (Debian: apt install python3 python3-venv) or name it: make PYTHON=/path/to/python"; \
		exit 1; }
	@echo "Setting up .venv: some minutes, most of them for torch."
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --editable .
	touch $(READY)
