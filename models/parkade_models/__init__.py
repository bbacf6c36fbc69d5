"""Model bundles: load, run, quantize, evaluate. What sidecar and CLI share."""

import os

# onnxruntime would tell its maker of the models that it loads, and keep a number of this machine for it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
