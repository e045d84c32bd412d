"""Tests of bridgewire."""
