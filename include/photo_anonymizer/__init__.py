"""Turns photo collections into releases in which nobody can be recognised.

The folders are the stages, in the order in which a photo passes through them::

    ingest → metadata → detection → methods → residual → render → reid → gate → release

Stages share the data types in ``model``, the ``config`` of the run, the ``runfolder`` and the ``vault``; they do
not import each other. ``stages`` is the only place that knows the order. Nothing in here knows Airflow.
"""

__version__ = "0.1.0"
