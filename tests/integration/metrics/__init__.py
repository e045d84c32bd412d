"""Metrics: a real Prometheus, its promtool, the alert rules and the dashboard."""
