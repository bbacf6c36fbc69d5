"""What every virtual kubelet of ours decides, whatever runs its pods: vehicles, or processes of the local cluster."""
