"""Airflow's side of the product: operators, parameters, callbacks and the programs that start Airflow."""
