"""Real daemons, sockets and clients. Waits for events, never for a fixed time."""
