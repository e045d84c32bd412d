"""The REST API, shaped like that of Cisco Meeting Server 2.x."""
