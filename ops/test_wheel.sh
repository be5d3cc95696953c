#!/usr/bin/env bash
# Builds the wheel and tries it in a venv of its own that has only the base install: the policy engine and the command.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python -m build --quiet --no-isolation --wheel --outdir "$work" .
wheel=$(echo "$work"/weir-*.whl)
python - "$wheel" <<'PY'
import sys, zipfile
names = zipfile.ZipFile(sys.argv[1]).namelist()
wanted = ("policies/library/hate.yaml", "triton_models/repository/clip_safety/config.pbtxt", "ops/samples/events.jsonl")
missing = [name for name in wanted if name not in names]
sys.exit(f"the wheel lacks {missing}" if missing else 0)
PY
# The base dependencies at the locked versions, from the environment that is already installed: no second download.
python -m venv --system-site-packages "$work/venv"
site=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$site" > "$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/locked.pth"
"$work/venv/bin/python" -m pip install --quiet --no-deps --no-index --force-reinstall "$wheel"
cd "$work"
"$work/venv/bin/weir" version
"$work/venv/bin/weir" policy check --json > /dev/null
echo "the wheel works: $(basename "$wheel"), $(du -h "$wheel" | cut -f1)"
