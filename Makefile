# Thin: every target is one call of a script. `make` or `make help` lists them.
FILE ?= report/artifacts/tdx-debian-base.efi

.PHONY: help build measure test lint lock-python clean

help:         ## this list
	@sed -n 's/^\([a-z-]*:\) *##/\1/p' Makefile

build:        ## build the base image twice, compare, measure, give a verdict
	scripts/teekit-verify rebuild

measure:      ## predict the measurements of the rebuilt image, or of FILE=...
	scripts/teekit-verify measure $(FILE)

test:         ## every check and every test
	scripts/test.sh

lint:         ## every check, and the tests that build no image
	scripts/test.sh --fast

lock-python:  ## resolve the Python packages anew, with digests
	scripts/lock_python.sh

clean:        ## remove what builds and tests left in the checkout
	git clean -d -X --force --exclude='!/.venv'
