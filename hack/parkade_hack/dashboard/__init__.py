"""The fleet dashboard: its questions and queries, Grafana's JSON of it, and a picture of it from a Prometheus' data."""
