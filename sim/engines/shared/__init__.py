"""Rules of the platform that both engines use."""
