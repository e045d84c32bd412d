"""Tests of what the Debian packages are made of, and of the packages; `tox run -e debs`."""
