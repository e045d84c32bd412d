"""Tests of callbridged.alarms."""
