"""Parkade's contracts: the CRD models, the protos, and every name that processes and users share."""

from importlib.metadata import version

__version__ = version("parkade")
