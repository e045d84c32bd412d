"""The sign-in page in a real browser, with real daemons behind it."""
