#!/usr/bin/env bash
# Rewrites the lock files: every package by version and hash, no addresses. Needs uv on PATH; installing needs pip only.
set -euo pipefail
cd "$(dirname "$0")/.."
lock() { uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --python-version 3.11 "$@"; }
lock pyproject.toml --extra operator --extra agent --extra cli --group run --no-emit-package parkade -o requirements/run.txt
for process in operator agent cli; do
  lock pyproject.toml --extra "$process" --constraint requirements/run.txt -o "requirements/$process.txt"
done
lock pyproject.toml --extra operator --extra agent --extra cli --group run --group dev --no-emit-package parkade --constraint requirements/run.txt -o requirements/dev.txt
