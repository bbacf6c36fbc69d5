"""The vehicle's agent: signals, guard, slot runtime, and the vehicle's only network connection."""
