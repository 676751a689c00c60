"""What every concept of a scenario is described with: field types, messages, registries, metric rows. The lowest package."""
