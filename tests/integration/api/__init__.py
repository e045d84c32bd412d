"""The REST API of real daemons."""
