"""Parkade as people install it, on the local cluster: `helm install`, with pods that run on the process node."""

from parkade_hack.release.fleet import Fleet, FleetError
from parkade_hack.release.helm import Helm, HelmError
from parkade_hack.release.leftovers import leftovers
from parkade_hack.release.node import ProcessNode
from parkade_hack.release.release import Release

__all__ = ["Fleet", "FleetError", "Helm", "HelmError", "ProcessNode", "Release", "leftovers"]
