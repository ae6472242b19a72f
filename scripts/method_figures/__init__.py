"""What ``scripts/measure_methods.py`` measures: how good changed faces look, and how little of the person is left."""
