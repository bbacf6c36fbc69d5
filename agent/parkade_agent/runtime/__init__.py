"""Runs one slot: runner and sidecar as limited children."""
