"""The bundle's Python part: what depends on a choice. The rest stands in the YAML files beside it."""
