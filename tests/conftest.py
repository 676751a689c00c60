"""What every kind of test may use: the helpers that stand beside this file."""

import sys
from pathlib import Path

from hypothesis import settings

HELPERS = str(Path(__file__).parent / "helpers")
if HELPERS not in sys.path:
    sys.path.insert(0, HELPERS)

# A slow machine breaks no property: time is what benchmarks measure.
settings.register_profile("vmfleet", deadline=None)
settings.load_profile("vmfleet")
