"""JPEGs that are published without being encoded again."""
