"""Eighth stage: Great Expectations judges counts and aggregates that name nobody."""
