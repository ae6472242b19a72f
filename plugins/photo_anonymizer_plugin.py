"""Registers the project with Airflow. Operators are ordinary imports and need no registration."""

from airflow.plugins_manager import AirflowPlugin


class PhotoAnonymizerPlugin(AirflowPlugin):
    """Makes the project show on Airflow's plugin page."""

    name = "photo_anonymizer"
