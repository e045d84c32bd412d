"""What any daemon needs, and knows no XMPP: ini files, control socket, systemd, terminal."""
