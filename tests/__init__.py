"""Tests of everything in this repository; one package per package, one module per module."""
