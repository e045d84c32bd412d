"""What the tests share: a certificate authority, a DNS server, transports in memory, processes."""
