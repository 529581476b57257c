"""The words all packages share. Imports nothing of ours."""
