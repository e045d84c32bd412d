"""The recipe for containers, tried."""
