"""Tests of the user backend ldap:. None of them needs python-ldap, or a directory."""
