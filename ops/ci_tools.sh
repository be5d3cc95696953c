#!/usr/bin/env bash
# What the whole test suite needs beside Python packages: a JVM and Maven for the real Kafka, Docker Compose for the
# check of docker-compose.yml, and the shared libpython that Triton's Python backend links. Says what is missing;
# installs it where it may (root on Debian or Ubuntu).
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
needed_gb=12 # torch with what it links is 6 GB installed and 3 GB while it is being installed; the rest is for the tests
free_gb=$(($(df -Pk . | awk 'NR == 2 {print $4}') / 1000000))
if [ "$free_gb" -lt "$needed_gb" ]; then
  echo "the gate needs $needed_gb GB of disk below $PWD and finds $free_gb: free some, or check out elsewhere" >&2
  exit 3
fi
missing=()
command -v java > /dev/null || missing+=(openjdk-17-jre-headless)
command -v mvn > /dev/null || missing+=(maven)
docker compose version > /dev/null 2>&1 || command -v docker-compose > /dev/null || missing+=(docker-compose)
"$python" ops/local/libpython.py > /dev/null || missing+=("lib$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')")
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get > /dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}"
else
  echo "missing: ${missing[*]}" >&2
  exit 3
fi
