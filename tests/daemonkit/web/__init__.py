"""Tests of daemonkit.web."""
