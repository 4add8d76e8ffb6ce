# What there is to do here. Every target installs what it lacks from the package registries, and says so.

SHELL := /bin/bash
CARGO ?= cargo
# what the demo runs: optimised as a release, but built in less time than whole-program optimisation takes
DEMO := target/demo

.PHONY: help ui demo cluster cluster-down images render test bench bench-causality bench-live bench-store fmt

help: ## say what there is (this)
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 26

ui: ## build the pages, which the next build of the collector takes in
	@tools/install ui
	@tools/pages

demo: ## build, start the bank with a sidecar beside each service, and run until Ctrl-C
	@tools/install demo
	@tools/pages
	$(CARGO) build --locked --profile demo -p meshtrace -p meshtrace-sidecar -p meshtrace-collector -p bank
	$(DEMO)/meshtrace up demo/bank/mesh.yaml

images: ## images of everything, for Kubernetes: with docker, podman or buildah if one works, else without
	@tools/build-images

cluster: ## a Kubernetes of one node on this machine, with the images, to play with (root; the first time 15 minutes)
	@tools/install test
	@tools/pages
	$(CARGO) build --locked --workspace --bins
	@tools/images --programs target/debug target/images
	@PATH="$$PWD/.tools/bin:$$PATH" target/debug/cluster up --images target/images

cluster-down: ## take it down again
	@target/debug/cluster down

render: ## manifests/ and the chart's golden files anew, after a change to the chart
	@tools/install test
	$(CARGO) build --locked -p meshtrace-operator
	@tools/render

test: ## every check and test there is, as CI runs them
	@tools/install test
	@tools/test

bench: ## CPU, latency and memory of the sidecar beside a TCP forwarder and Envoy (about six minutes)
	@tools/install bench
	$(CARGO) build --locked --release -p bench -p meshtrace-sidecar
	target/release/bench-run $(BENCH)

bench-causality: ## how many causes the engine and others find, on workloads whose causes are known (ten minutes)
	$(CARGO) build --locked --profile demo -p bench-causality
	$(DEMO)/bench-causality $(BENCH)

bench-live: ## the same with real servers in Python, Node.js and Go through `meshtrace up` (about two minutes)
	@tools/install bench-live
	$(CARGO) build --locked --profile demo -p meshtrace -p meshtrace-sidecar -p meshtrace-collector
	bench/causality/live/run

bench-store: ## what keeping and finding spans costs, beside Jaeger: processor, disk, memory, time (fifteen minutes)
	@tools/install bench-store
	$(CARGO) build --locked --release -p bench-store -p meshtrace-collector
	target/release/bench-store $(BENCH)

fmt: ## format all code
	$(CARGO) fmt --all
	@npm --prefix ui run --silent format
