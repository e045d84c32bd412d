"""Alarms: what an operator has to see to, raised and cleared by themselves."""
