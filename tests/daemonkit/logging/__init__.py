"""Tests for `daemonkit.logging`."""
