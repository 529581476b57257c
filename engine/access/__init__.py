"""Who is calling: passwords, signed tokens, sign-ins."""
