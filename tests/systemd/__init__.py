"""Tests of the Debian packages on hosts with a real systemd; part of `tox run -e debs`.

One installation (`installation.py`) is shared: a test leaves it working, or calls `discard`. How a
host boots and ends is in `tests/support/booted.py`. What one would not guess:

- systemd-nspawn that keeps its unit does not reboot a host by itself: it ends with status 133.
- Two of them in one cgroup share the cgroups of their services.
- systemd says READY=1 once more after each daemon-reload, and a notification socket that nobody
  reads is full after ten: then systemd-nspawn stands still.
- SIGKILL to systemd-nspawn leaves the host running: its own first process has to be killed.
"""
