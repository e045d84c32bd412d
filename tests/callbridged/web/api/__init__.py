"""Tests of `callbridged.web.api`."""
