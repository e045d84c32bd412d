"""Links to XMPP servers, steps 2 to 11: where to, how many, and the life of each."""
