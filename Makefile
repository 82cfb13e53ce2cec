# Each target calls a script in build/; CI, README and developers use the same ones.
.PHONY: demo test soak bench build fmt lint dist clean

PHONE ?= sim

demo: ## install what is missing, build, ring a call, show the whole main job (PHONE=baresip: a real SIP call)
	@build/demo.sh $(PHONE)

test: ## install what is missing, lint, pass every test; ends with "N passed, N failed"
	@build/test.sh

soak: ## everything longer
	@build/soak.sh

bench: ## figures, each with its yardstick in the same run
	@build/bench.sh

build: ## the window, ringctl and ringhook into build/bin
	@build/build.sh

fmt: ## format Go and TypeScript
	@build/fmt.sh

lint: ## the linters alone
	@build/lint.sh

dist: ## the programs for Linux and Windows into build/bin/dist
	@build/dist.sh

clean: ## remove what was built
	rm -rf build/bin frontend/dist/assets frontend/dist/index.html
