"""What is written on the wire, word for word, for a person to read and a test to play."""
