"""What Parkade costs and gains, measured against others in the same run."""
