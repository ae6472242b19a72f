"""What ``scripts/measure_attacks.py`` is made of: photos and people, publishing, attacking, tables."""
