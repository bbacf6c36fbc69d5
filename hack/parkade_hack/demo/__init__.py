"""`make demo`: `helm install`, a batch with a driver, a power cut, heat and a pulled cable, `helm uninstall`."""
