# Everything sets itself up in .venv (tools/setup.sh); git, make and python3 are all that must be there.
#   make demo PYTHON=python3.12     chooses the interpreter
#   make demo ARGS='--workers 1'    passes options to simpler-eval demo
PY := .venv/bin/python
export PYTHON

.PHONY: help demo test coverage lint doctor setup vla interop

help:
	@echo "make demo    run the demo: both robots at work, a table and videos in results/"
	@echo "make test    lint, check the types, run the tests (without those marked slow), several at a time"
	@echo "make coverage  run all tests and say which lines they reach, also in processes that they start"
	@echo "make doctor  check this machine, and say how to fix what is missing"
	@echo "make setup   only the set-up"
	@echo "make vla     add torch and transformers, for policies that are neural networks"
	@echo "make interop  try the real packages of others, each in an environment of its own; writes results/benchmarks/interop.md"

demo:
	@tools/setup.sh demo
	@.venv/bin/simpler-eval demo $(ARGS)

test: lint
	@tools/setup.sh all
	@$(PY) -m pytest -q -n auto --maxprocesses 4 --dist loadfile -m "not slow and not alone"
	@$(PY) -m pytest -q -m "alone and not slow"

coverage:
	@tools/setup.sh all
	@$(PY) -m coverage erase
	@$(PY) -m coverage run -m pytest -q
	@$(PY) -m coverage combine -q
	@$(PY) -m coverage report

lint:
	@tools/setup.sh test
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check -q .
	@$(PY) -m mypy

doctor: setup
	@.venv/bin/simpler-eval doctor

setup:
	@tools/setup.sh

vla:
	@tools/setup.sh vla

interop:
	@tools/setup.sh test
	@$(PY) tools/interop $(ARGS)
