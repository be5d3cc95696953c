#!/usr/bin/env bash
# Resolves the dependencies again and writes what is installed: names, versions, hashes, and no addresses.
# dev.txt: everything; run.txt: the `weir` command with agents and embedded servers, at the same versions.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -f ops/constraints/dev.txt ops/constraints/run.txt  # uv would keep what an older file says
lock() {
  local out=$1; shift
  uv pip compile pyproject.toml ops/constraints/build.in "$@" --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o "ops/constraints/$out"
}
lock dev.txt --extra dev
pins=$(mktemp); trap 'rm -f "$pins"' EXIT
grep -oE '^[a-z0-9._-]+==[^ ;]+' ops/constraints/dev.txt > "$pins"
lock run.txt --extra worker --extra serve --extra local -c "$pins"
