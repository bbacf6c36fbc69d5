"""Fixtures of the unit tests."""

from support.bundles import digits_bundle, embedding_task, int8_bundle, magika_bundle

__all__ = ["digits_bundle", "embedding_task", "int8_bundle", "magika_bundle"]
