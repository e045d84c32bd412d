"""Tests of daemonkit.metrics."""
