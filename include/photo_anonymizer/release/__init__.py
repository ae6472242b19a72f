"""Last stage: an immutable version, its tables, its report, its evidence and a log that cannot be changed unnoticed."""
