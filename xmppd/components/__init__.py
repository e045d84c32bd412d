"""The component port: Call Bridges and other XEP-0114 components, from connection to stanzas."""
