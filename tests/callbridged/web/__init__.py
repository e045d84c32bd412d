"""Tests of `callbridged.web`."""
