"""Fixtures of the unit tests."""

from support.bundles import embedding_task, int8_bundle

__all__ = ["embedding_task", "int8_bundle"]
