"""Simulated vehicles: the ordinary agent of a vehicle that is always parked and charging, one in each pod."""
