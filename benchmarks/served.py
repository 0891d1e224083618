"""The portal as a WSGI server takes it: `benchmarks.served:app`, all its settings from the environment."""

from __future__ import annotations

import os

from server import Settings, create_app

app = create_app(Settings.from_environment(os.environ, demo=True))
