#!/usr/bin/env bash
# Everything that CI runs, in the order in which a mistake is cheapest to hear of. `lint` as argument: the first part.
# With CI=true nothing may skip: the tests that need a JVM or Triton fail when they are not there.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
step() { printf '\n== %s\n' "$*"; }

step "format and lint"
ruff format --check .
ruff check .
step "types"
mypy
step "floors"
lint-imports
step "policies"
weir policy check policies/library
weir policy test policies/library --gate
step "AsyncAPI document is the one the types give"
diff <(weir asyncapi) streams/asyncapi.json
[ "${1:-}" = lint ] && exit 0

step "the wheel"
bash ops/test_wheel.sh
step "docker-compose"
bash ops/docker/check.sh
step "tests"
exec python -m pytest -q --durations=15
