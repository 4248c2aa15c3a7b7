# Thin: every target is one call of a script. `make` or `make help` lists them.
PROFILE ?=
# Also from make's own command line: make build KETTLE_SRC=DIR
export KETTLE_SRC
KERNEL ?= debian
FILE ?=

ifeq ($(filter $(KERNEL),debian source),)
$(error KERNEL is $(KERNEL), expected debian or source)
endif
profiles = $(addprefix --profile=,$(PROFILE) $(if $(filter debian,$(KERNEL)),debian-kernel))

.PHONY: help build build-all rebuild measure test-local test lint lock-python site clean

help:         ## this list
	@sed -n 's/^\([a-z-]*:\) *##/\1/p' Makefile

build:        ## build the image with kettles into build/; PROFILE=gcp, azure or devtools; KERNEL=source; KETTLE_SRC=DIR
	scripts/env_wrapper.sh mkosi --force $(profiles) -I tdx-kettle.conf

build-all:    ## build it with every profile; no output overwrites another
	$(MAKE) build PROFILE=
	$(MAKE) build PROFILE=gcp
	$(MAKE) build PROFILE=azure
	$(MAKE) build PROFILE=devtools

site:         ## build the documentation as a site into build/site; needs mkdocs: pip install '.[docs]'
	mkdocs build

rebuild:      ## build the base image twice, compare, measure, give a verdict
	scripts/teekit-verify rebuild

measure:      ## predict the measurements of what was built last, or of FILE=..., into build/measurements.json
	scripts/measure.sh $(FILE)

test-local:   ## boot the image in build/ with QEMU, with what it needs from a cloud
	scripts/test_local.sh

test:         ## every check and every test
	scripts/test.sh

lint:         ## every check, and the tests that build no image
	scripts/test.sh --fast

lock-python:  ## resolve the Python packages anew, with digests
	scripts/lock_python.sh

clean:        ## remove what builds and tests left in the checkout
	git clean -d -X --force --exclude='!/.venv' --exclude='!/.venv/**'
