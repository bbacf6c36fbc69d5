"""The slot's main program: takes shards, has the sidecar run them, hands back results."""
