"""kubectl parkade: what people type."""
