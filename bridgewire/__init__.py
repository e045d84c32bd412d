"""What both ends of the link agree on: XML stream, handshake, login messages, certificates."""
