"""`make demo`: one batch from `kubectl apply` to proved result files, while a driver returns and a vehicle dies."""
