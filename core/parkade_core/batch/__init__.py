"""Decisions about one batch: records, plan, leases, commits, slots, status."""
