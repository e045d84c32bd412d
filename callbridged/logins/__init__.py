"""Logins that XMPP servers relay, step 12: who answers them, by which mechanism, out of what."""
