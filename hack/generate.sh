#!/usr/bin/env bash
# Writes every generated file below the folder given (default: the repository itself): protos' stubs, CRDs,
# the chart's copies, the dashboard, the page of metrics.
set -euo pipefail
out="$(realpath "${1:-$(dirname "$0")/..}")"
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
mkdir -p "$out/api" "$out/crds" "$out/charts/parkade/files/crds" "$out/docs"
(
  cd api
  find parkade_api/proto -name '*.proto' | LC_ALL=C sort | xargs python -m grpc_tools.protoc -I . \
    --python_out="$out/api" --grpc_python_out="$out/api" --mypy_out=quiet:"$out/api" --mypy_grpc_out=quiet:"$out/api"
)
python -m parkade_api.crdgen "$out/crds" "$out/charts/parkade/files/crds"
python -m parkade_hack.dashboard "$out/charts/parkade/files"
python -m parkade_hack.metricsdoc "$out/docs"
