"""A virtual kubelet for many Nodes, as a library with a provider interface."""
