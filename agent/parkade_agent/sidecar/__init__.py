"""Serves one INT8 bundle over the Open Inference Protocol."""
