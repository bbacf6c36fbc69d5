"""The search for the fastest INT8 recipe that keeps a model's quality, and the bundle that comes of it.

`evaluation` reads the data, `run` searches, `report` is the table of all candidates, `picture` draws it, and `output`
writes the bundle.
"""
