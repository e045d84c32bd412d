"""Every row of the fault tables in docs/troubleshooting.md, provoked and read as operators do."""
