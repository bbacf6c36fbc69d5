"""A local cluster without containers, and the demo on it. Not shipped."""
