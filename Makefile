# One door for people and for continuous integration. `make setup` installs what is missing, the rest calls Swift and the lab.

SWIFT ?= swift
SOURCES = Package.swift Sources Tests
PREFIX ?= lab
NODES ?= 2

.PHONY: help setup build check format test simulate demo lab lab-down bench

help:
	@echo "make setup    install Debian packages and the system user that are missing (root)"
	@echo "make build    debug build of everything"
	@echo "make check    format, warnings, tests: what continuous integration runs"
	@echo "make format   bring all sources into shape"
	@echo "make test     setup, build, unit and integration tests (root)"
	@echo "make simulate replay the rules against faults: SEED=42 for one seed, SEEDS=1000 for a batch from SEED, STEPS=5000, STORM=log or cluster"
	@echo "make demo     a machine boots from the SAN and moves twice; KEEP=1 leaves the lab up"
	@echo "make lab      start a lab of NODES=$(NODES) nodes, PREFIX=$(PREFIX); \`apus lab down\` ends it"
	@echo "make bench    compare with virsh and etcd; ONLY=name for one of them, RUNS=5"

setup:
	@Lab/setup.sh

build: setup
	$(SWIFT) build

check: setup
	$(SWIFT) format lint --strict --parallel --recursive $(SOURCES)
	$(SWIFT) build --build-tests
	Lab/test.sh

format:
	$(SWIFT) format --in-place --parallel --recursive $(SOURCES)

test: setup
	$(SWIFT) build --build-tests
	Lab/test.sh

simulate:
	$(SWIFT) build -c release --product apus-simulate
	.build/release/apus-simulate --storm $(or $(STORM),both) --seed $(or $(SEED),0) --seeds $(or $(SEEDS),$(if $(SEED),1,200)) --steps $(or $(STEPS),5000)

demo: build
	KEEP=$(KEEP) Lab/demo.sh

lab: build
	.build/debug/apus lab up --prefix $(PREFIX) --nodes $(NODES)

lab-down:
	.build/debug/apus lab down --prefix $(PREFIX)

bench:
	@Lab/setup.sh bench
	$(SWIFT) build -c release
	.build/release/apus-bench $(foreach name,$(ONLY),--only $(name)) $(if $(RUNS),--runs $(RUNS))
