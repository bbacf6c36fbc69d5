"""The custom resources of `parkade.dev/v1alpha1` as pydantic models; `crdgen` turns them into the CRDs."""

from parkade_api.v1alpha1.inferencebatch import InferenceBatch
from parkade_api.v1alpha1.vehiclepool import VehiclePool

__all__ = ["InferenceBatch", "VehiclePool"]
