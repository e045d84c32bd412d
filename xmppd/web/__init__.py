"""What is spoken over HTTP: XMPP over WebSocket (RFC 7395), and where to find it (XEP-0156)."""
