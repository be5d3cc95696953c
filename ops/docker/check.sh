#!/usr/bin/env bash
# Checks docker-compose.yml with Compose itself; no engine is needed. Without Compose: an error in CI, a note elsewhere
# (tests/unit/test_local_compose.py checks the file against the code in any case).
set -euo pipefail
cd "$(dirname "$0")/../.."
if docker compose version > /dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose > /dev/null; then
  compose=(docker-compose)
else
  echo "no docker compose here (Debian, Ubuntu: apt-get install --no-install-recommends docker-compose)" >&2
  [ "${CI:-}" = true ] && exit 3
  exit 0
fi
"${compose[@]}" --file docker-compose.yml config --quiet
echo "docker-compose.yml: fine by $("${compose[@]}" version --short)"
