"""What every kind of test may use: the helpers that stand beside this file."""

import atexit
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

from sim import from_dict, run

HELPERS = str(Path(__file__).parent / "helpers")
if HELPERS not in sys.path:
    sys.path.insert(0, HELPERS)

# A slow computer breaks no property: benchmarks measure time.
settings.register_profile("vmfleet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vmfleet")

# What is measured while tests run is no figure of the machine, and must not decide how a user's runs go.
CACHES = TemporaryDirectory(prefix="vmfleet-cache-")
atexit.register(CACHES.cleanup)
os.environ["XDG_CACHE_HOME"] = CACHES.name

HERE = Path(__file__).parent
USE_ENGINES = {"golden", "properties", "scenarios", "theory", "unit"}


@pytest.fixture(scope="session", autouse=True)
def compiled_engine(request: pytest.FixtureRequest) -> None:
    """Compile the numba engine, or load it from its cache, before the first test that may use it and not inside that test."""
    paths = {item.path for item in request.session.items if item.path.is_relative_to(HERE)}
    if not USE_ENGINES & {path.relative_to(HERE).parts[0] for path in paths}:
        return
    for platform in ({}, {"platform": {"quota": {"regional_vcpus": 100}}}):  # VMs on their own, and sharing a quota
        group = {"name": "web", "count": 1}
        fleet = from_dict({"name": "first", "horizon": "8h", "group": [group], **platform})
        run(fleet, replications=1, engine="compiled")
