"""Who is calling. In: a password, a signed token or a refresh token. Out: a user, or a refusal that tells nothing.

Open `sign_in.py` first.
"""
