# One image for every Airflow component of the pipeline.
#
# It does not start FROM apache/airflow: that image brings its own set of packages, and installing the lock on top
# of it would leave a mixture that nobody tested. Here requirements.txt is the one truth, for the image as for a
# local virtual environment: same versions, same hashes.
#
# A tag can be moved, a digest cannot. To pin what was reviewed:
#   docker buildx imagetools inspect python:3.11.14-slim-bookworm     # prints the digest
#   docker build --build-arg PYTHON_IMAGE=python:3.11.14-slim-bookworm@sha256:<digest> ...
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

# ---------------------------------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS builder

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_INPUT=1

RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:${PATH}

# Some packages load the OpenMP runtime, which the slim image lacks; preparing the models below needs it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*

# The lock alone first: its layer is reused until the lock changes. --no-deps: the lock is complete, and what is
# missing from it shall fail here.
COPY requirements.txt /tmp/requirements.txt
RUN pip install --no-deps --require-hashes -r /tmp/requirements.txt

# Editable, at the path where the runtime stage puts the same files: the code exists once in the image.
WORKDIR /opt/airflow
COPY pyproject.toml README.md LICENSE ./
COPY include include
RUN pip install --no-deps --no-build-isolation -e .

# The detector's weights are converted once, here, and not in a task on a machine without a way out.
ENV PHOTO_ANONYMIZER_MODELS=/opt/photo-anonymizer/models
RUN photo-anonymizer models --prepare

# ---------------------------------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS runtime

# tini: reaps children and passes signals on. curl: health checks. libgomp1: OpenMP. OpenCV is the headless build,
# so no libgl. libimage-exiftool-perl: exiftool, the second reader of every file before it is published.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl libgomp1 libimage-exiftool-perl tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 50000 airflow \
    && useradd --uid 50000 --gid 50000 --create-home --shell /usr/sbin/nologin airflow

ENV PATH=/opt/venv/bin:${PATH} \
    AIRFLOW_HOME=/opt/airflow \
    PYTHONPATH=/opt/airflow/include:/opt/airflow/plugins \
    PHOTO_ANONYMIZER_MODELS=/opt/photo-anonymizer/models \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_CACHE_HOME=/tmp/.cache \
    GX_ANALYTICS_ENABLED=false

WORKDIR /opt/airflow

# Everything below belongs to root and is only read by the service; it writes to logs/, /tmp and the mounted roots.
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /opt/photo-anonymizer /opt/photo-anonymizer
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY include include
COPY plugins plugins
COPY dags dags

# An empty airflow.cfg on purpose: without one, Airflow writes a file with freshly made keys at its first start,
# which would fail on a read-only file system, or be baked in here. All settings come from the environment.
RUN python -m compileall -q include plugins dags \
    && chmod -R a+rX,go-w . /opt/photo-anonymizer \
    && install --mode 0444 /dev/null airflow.cfg \
    && install --directory --owner 50000 --group 50000 --mode 0750 logs

USER 50000:50000
STOPSIGNAL SIGTERM
EXPOSE 8080

# Health checks are in docker-compose.yaml: every component has its own.
# The command is given in full ("airflow scheduler", "bash -c ..."), so any of them is supervised by tini.
ENTRYPOINT ["tini", "--"]
CMD ["airflow", "version"]
