"""opsdroid makes folders where XDG says: a place of its own, before anything imports it."""

import os
import tempfile

os.environ["XDG_DATA_HOME"] = os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="atlas-opsdroid-")
