"""What runs in the cluster: the operator (kopf) and the gateway that vehicles dial into."""
