"""What administrators reach over HTTPS: the REST API and the web page."""
