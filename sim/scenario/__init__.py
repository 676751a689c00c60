"""The scenario file: reading, checking, describing, and building the plan."""
