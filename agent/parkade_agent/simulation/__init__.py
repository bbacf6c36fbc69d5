"""Simulated vehicles: ordinary agents that play recordings, or stand plugged in, many in one process."""
