"""``xmppctl check``: what xmppd needs, looked at before or while it runs."""
