"""Model bundles: load, run, quantize, evaluate. What sidecar and CLI share."""
