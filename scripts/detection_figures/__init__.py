"""What ``scripts/measure_detection.py`` is made of: labels, looks at photos, figures, fitting, tables."""
