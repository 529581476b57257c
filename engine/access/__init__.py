"""Who is calling. In: a password, a signed token or a refresh token. Out: a user, or a refusal that
does not say what was wrong.

Open `sign_in.py` first.
"""
