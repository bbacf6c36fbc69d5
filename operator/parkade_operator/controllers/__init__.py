"""The operator: reconciles VehiclePool and InferenceBatch."""
