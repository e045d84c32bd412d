"""The client ports: one stream from connection to session, whatever the transport."""
