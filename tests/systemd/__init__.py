"""Tests of the Debian packages on hosts with a real systemd; part of `tox run -e debs`."""
