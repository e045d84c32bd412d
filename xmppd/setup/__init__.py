"""``xmppctl setup``: from an installed package to a server that can be started."""
