"""Programs that run in the environments of peers, and the work that they all do."""
