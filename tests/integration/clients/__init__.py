"""Clients that others wrote log in, and docs/clients.md says what each of them chose."""
