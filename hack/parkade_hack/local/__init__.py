"""Parkade on a local control plane: operator, gateway and vehicles as local processes."""

from parkade_hack.local.cluster import LocalCluster
from parkade_hack.local.vehicle import AWAY, PARKED, Vehicle, VehicleSpec

__all__ = ["AWAY", "PARKED", "LocalCluster", "Vehicle", "VehicleSpec"]
