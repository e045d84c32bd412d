"""Tests of `callbridged.backends.http`."""
