"""`parkade-check`: whether a release works, as `helm test` asks."""
