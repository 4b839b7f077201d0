"""``python -m pixie_pipe`` is the command ``pixie-pipe``."""

from __future__ import annotations

import sys

from pixie_pipe.cli import main

sys.exit(main())
