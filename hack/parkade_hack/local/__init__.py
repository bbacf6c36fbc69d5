"""Parkade on a local control plane: operator, gateway and vehicles as local processes."""

from parkade_agent.simulation.script import PARKED
from parkade_hack.local.cluster import LocalCluster
from parkade_hack.local.vehicle import AWAY, Vehicle, VehicleSpec

__all__ = ["AWAY", "PARKED", "LocalCluster", "Vehicle", "VehicleSpec"]
