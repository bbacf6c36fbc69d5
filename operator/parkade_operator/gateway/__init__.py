"""The gateway process: wires the door, the virtual kubelet and the shards."""
