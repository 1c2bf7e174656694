# Two commands do all the set-up on a fresh Debian or Ubuntu machine with Python 3.11 or newer, git and make:
#   make run    the reference hospital: simulated feed -> MLLP -> journal -> practice Odoo, with a live summary
#   make test   every test, with a real PostgreSQL and a real Odoo 19 that it installs, starts and stops itself
.PHONY: run test check lint format docs bench lock clean help

BIN := .venv/bin

run: .venv/.run ## the reference hospital, live; Ctrl-C drains it and prints the balance sheet
	@$(BIN)/isthmus demo $(ARGS)

test: .venv/.dev ## everything: static checks, then all tests on real parts
	@tools/test $(ARGS)

check lint: .venv/.dev ## static checks only: style, types, floors, stale reference pages
	@tools/check

format: .venv/.dev ## let ruff write the layout
	@$(BIN)/ruff format && $(BIN)/ruff check --fix

docs: .venv/.dev ## write docs/reference anew from the code
	@$(BIN)/python tools/reference.py

bench: .venv/.dev ## measure the product and its peers, about seven minutes; ARGS=--quick for one, ARGS=--page to write the page too
	@$(BIN)/python -m bench.product $(ARGS)

lock: .venv/.dev ## pin what pyproject.toml asks for, with hashes
	@tools/lock

clean: ## forget the environment and what tests built in the checkout
	rm -rf .venv .cache dist build

help: ## this list
	@sed -n 's/^\([a-z ]*\):.*## /\1\t/p' Makefile | expand -t 14

.venv/.run: requirements.lock pyproject.toml
	@tools/environment requirements.lock && touch $@

.venv/.dev: requirements-dev.lock pyproject.toml
	@tools/environment requirements-dev.lock && touch .venv/.run $@
