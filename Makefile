# Front door: one line per verb; the logic is in scripts/sandbox.
SANDBOX := .venv/bin/sandbox
.DEFAULT_GOAL := help

.PHONY: help
help:
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Everyday
.PHONY: up
up: $(SANDBOX) ## Start everything and run the first loop (safe to run again)
	@$(SANDBOX) up

.PHONY: status
status: $(SANDBOX) ## Services, where the state lies, the served model
	@$(SANDBOX) status

.PHONY: clone
clone: $(SANDBOX) ## Clone a repository that can be pushed: make clone REPO=model_training
	@$(SANDBOX) clone "$(or $(REPO),model_training)" $(if $(DIR),"$(DIR)")

.PHONY: trace
trace: $(SANDBOX) ## Receipt of the newest loop, live: make trace REF=<commit>
	@$(SANDBOX) trace --wait "$(REF)"

.PHONY: demo
demo: $(SANDBOX) ## Push a harmless commit and watch it being served
	@$(SANDBOX) demo

.PHONY: load
load: $(SANDBOX) ## Predictions at a steady rate, with a latency plot: make load RATE=50 SECONDS=20
	@$(SANDBOX) load --rate "$(or $(RATE),50)" --seconds "$(or $(SECONDS),20)" --rows "$(or $(ROWS),1)"

.PHONY: drift
drift: $(SANDBOX) ## Requests unlike training, their judgement, and the loop that follows: make drift SHIFT=3
	@$(SANDBOX) drift --shift "$(or $(SHIFT),3)" --rows "$(or $(ROWS),500)"

.PHONY: run
run: $(SANDBOX) ## The loop by hand: make run CODE=<commit> DATA=<data version> NO_PROMOTE=1 DRY_RUN=1
	@$(SANDBOX) run --code "$(CODE)" --data "$(DATA)" $(if $(NO_PROMOTE),--no-promote) $(if $(DRY_RUN),--dry-run)

.PHONY: data-push
data-push: $(SANDBOX) ## New raw data, and the loop with them: make data-push FILE=iris.csv
	@$(SANDBOX) data push "$(or $(FILE),$(error Name the file: make data-push FILE=iris.csv))"

.PHONY: scenario
scenario: $(SANDBOX) ## Other data and their model: make scenario NAME=heart (or iris, sentiment)
	@$(SANDBOX) scenario "$(NAME)"

.PHONY: promote
promote: $(SANDBOX) ## Serve a registered version: make promote VERSION=3
	@$(SANDBOX) promote "$(VERSION)" --model "$(MODEL)"

.PHONY: rollback
rollback: $(SANDBOX) ## Serve the version before, or VERSION, again
	@$(SANDBOX) rollback "$(VERSION)" --model "$(MODEL)"

.PHONY: challenge
challenge: $(SANDBOX) ## A/B test: make challenge VERSION=3 PERCENT=10, SHADOW=1 to predict beside, OFF=1 to end it
	@$(SANDBOX) challenge "$(VERSION)" --percent "$(or $(PERCENT),10)" $(if $(SHADOW),--shadow) $(if $(OFF),--off) --model "$(MODEL)"

.PHONY: logs
logs: $(SANDBOX) ## Newest log lines: make logs SERVICE=airflow-scheduler
	@$(SANDBOX) logs "$(SERVICE)"

.PHONY: doctor
doctor: $(SANDBOX) ## Which link from Git to CI is broken, why, and what mends it
	@$(SANDBOX) doctor

.PHONY: open
open: $(SANDBOX) ## Open a page in the browser: make open SERVICE=airflow-api
	@$(SANDBOX) open "$(SERVICE)"

.PHONY: credentials
credentials: $(SANDBOX) ## Logins of the services
	@$(SANDBOX) credentials

.PHONY: down
down: $(SANDBOX) ## Stop everything, keep the data
	@$(SANDBOX) down

.PHONY: destroy
destroy: $(SANDBOX) ## Show what would go, ask, delete it
	@$(SANDBOX) destroy

##@ Checks
.PHONY: test
test: $(SANDBOX) lint ## Rules, units, services, the real loop (about twenty minutes)
	@scripts/test.sh

.PHONY: test-docker
test-docker: $(SANDBOX) ## The same on containers, on stand-in images (half an hour; PART=parts or PART=live for one half)
	@scripts/test-docker.sh $(PART)

.PHONY: test-loop
test-loop: $(SANDBOX) ## Pushes in a row, killed servers, a full disk, Ctrl-C, promotions under load (FAULTS=all: every server at every stage)
	@.venv/bin/pytest -v --durations=25 tests/live/bad_days

.PHONY: bench-loop
bench-loop: $(SANDBOX) ## Push to served beside the same by hand, on a sandbox of its own (half an hour)
	@benchmarks/own_sandbox.sh push_to_served.py

.PHONY: bench-retention
bench-retention: $(SANDBOX) ## A hundred loops with low limits: what of disk and time grows (an hour)
	@BENCH_SETTINGS="$$(cat benchmarks/low_limits.env)" benchmarks/own_sandbox.sh hundred_loops.py

.PHONY: bench-serving
bench-serving: $(SANDBOX) ## The prediction API beside mlflow models serve; needs wrk (six minutes)
	@PYTHONPATH=services/prediction-api/tests:gitea_repos/model_training "$$(scripts/environment.sh prediction-api)/bin/python" -W ignore benchmarks/serving.py

.PHONY: fuzz-api
fuzz-api: $(SANDBOX) ## More than 10 000 requests made of the prediction API's OpenAPI document (ten minutes)
	@bin=$$(scripts/environment.sh prediction-api)/bin && cd services/prediction-api && FUZZ_EXAMPLES=2000 "$$bin/pytest" -q -s tests/test_fuzz.py

.PHONY: lint
lint: $(SANDBOX) ## Style and types
	@.venv/bin/ruff check && .venv/bin/ruff format --check && .venv/bin/mypy

.PHONY: dashboards
dashboards: $(SANDBOX) ## Write grafana/dashboards anew from grafana/source
	@PYTHONPATH=grafana .venv/bin/python -m source

.PHONY: lock
lock: $(SANDBOX) ## Compile the locks of the tool and the services anew
	@scripts/lock.sh

$(SANDBOX): pyproject.toml requirements.lock scripts/install.sh
	@scripts/install.sh
