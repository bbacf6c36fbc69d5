"""Where vehicles arrive: TLS, identity, sessions."""
