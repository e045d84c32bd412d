"""The web page for administrators, in a real browser, of a real Call Bridge."""
