"""HTTP as any daemon serves it: bounded connections, plain answers, files, events."""
