"""The compiled engine: a VM loop for private fleets, an event loop for shared ones."""
