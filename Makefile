# The main command is ./anonymize (make turns every failure into exit code 2).

PYTHON := .venv/bin/python
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: test unit lint lock check-lock up bench attacks detection methods gallery metadata fuzz

test: .venv/dev-ready  ## every test, on two cores; the tests of a file stay together, as they share what is slow to make
	$(PYTHON) -m pytest -n 2 --dist loadfile

unit: .venv/dev-ready  ## tests without whole-pipeline runs
	$(PYTHON) -m pytest -m "not pipeline and not scheduler"

lint: .venv/dev-ready  ## style, types, import rules
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	PYTHONPATH=include:plugins .venv/bin/lint-imports

lock: .venv/dev-ready  ## requirements.in → requirements.txt, keeping versions that still fit
	.venv/bin/$(LOCK) requirements.in --overrides requirements-overrides.txt --excludes requirements-excludes.txt -o requirements.txt
	.venv/bin/$(LOCK) requirements-dev.in -o requirements-dev.txt

check-lock: .venv/dev-ready  ## do requirements.in and requirements.txt agree?
	$(PYTHON) scripts/check_lock.py

up: .venv/dev-ready  ## Airflow with its page on http://localhost:8080
	PYTHONPATH=$(CURDIR)/include:$(CURDIR)/plugins $(PYTHON) -P -m photo_anonymizer_airflow.serve

bench: .venv/dev-ready  ## speed: cleaning, detection, methods, ingest, and this project beside deface 1.5.0 on the same photos
	$(PYTHON) scripts/bench_cleaning.py
	$(PYTHON) scripts/bench_detection.py
	$(PYTHON) scripts/bench_methods.py
	$(PYTHON) scripts/bench_ingest.py
	$(PYTHON) scripts/bench_peer.py $(PHOTOS)

attacks: .venv/dev-ready  ## PHOTOS=folder with a sub-folder a person: what attackers find behind every method
	$(PYTHON) scripts/measure_attacks.py $(PHOTOS)

detection: .venv/dev-ready  ## PHOTOS=folder with labels: how many faces are found at every effort, and in changed photos
	$(PYTHON) scripts/measure_detection.py $(PHOTOS) --efforts fast balanced thorough
	$(PYTHON) scripts/measure_detection.py $(PHOTOS) --robustness

methods: .venv/dev-ready  ## PHOTOS=folder: how good changed faces look, and how little of the person is left
	$(PYTHON) scripts/measure_methods.py $(PHOTOS)

gallery: .venv/dev-ready  ## PHOTOS=folder: original and all methods side by side, in out/gallery.html
	$(PYTHON) scripts/make_gallery.py $(PHOTOS)

metadata: .venv/dev-ready  ## PHOTOS=folder: what is cleaned, held and rejected, and what exiftool finds before and after
	$(PYTHON) scripts/measure_metadata.py $(PHOTOS)

fuzz: .venv/dev-ready  ## ten minutes of broken files against the metadata stage
	$(PYTHON) scripts/fuzz_metadata.py --minutes 10

.venv/dev-ready: requirements.txt requirements-dev.txt pyproject.toml scripts/setup.sh
	sh scripts/setup.sh
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.txt
	touch $@
