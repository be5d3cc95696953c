#!/usr/bin/env bash
# What the whole test suite needs beside Python: a JVM and Maven for the real Kafka. Says what is missing; installs it
# where it may (root on Debian or Ubuntu).
set -euo pipefail
missing=()
command -v java > /dev/null || missing+=(openjdk-17-jre-headless)
command -v mvn > /dev/null || missing+=(maven)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get > /dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}"
else
  echo "missing: ${missing[*]} (the tests against real Kafka need them)" >&2
  exit 3
fi
