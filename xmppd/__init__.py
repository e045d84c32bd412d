"""The XMPP server at the edge: clients log in here, Call Bridges decide who may."""
