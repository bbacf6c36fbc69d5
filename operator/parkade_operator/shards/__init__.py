"""Plan, lease, commit and assemble the shards of batches."""
