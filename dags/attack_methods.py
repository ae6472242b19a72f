"""
# Attack methods

Attacks that learn take too long for every run. This DAG makes them on a **sample** of the source: it anonymizes the sample
with the configured method and settings, and again behind a solid mask, and lets attackers learn from one half of the people
and attack the other (A2 parrot, A3 restoration by learning, A4 linkage; `docs/threat-model.md` says what they are).

What they find, without any id, is kept in `vault/<dataset>/attacks.json`. The gate of the next run of `anonymize_photos`
expects it to be within bounds for the same method and settings (`reid.heavy`).

**Trigger it** with the values of the run that it is for: source, out, dataset, method, and the method's own settings. The form
has only what matters here; a run's other parameters may be pasted with them. The source is a **folder on the worker's machine**:
of an archive, a list or a URL copy some photos into one.

`sample` is how many photos are drawn, folder by folder, at most ten of each. People are the sub-folders of the source where the
photos agree with them, else a recogniser groups the originals; at least four people with two photos each are needed. Where the
task says that there are fewer, take a larger sample.

| task | what happens | when it fails |
|---|---|---|
| attack_method | sample, anonymize, attack, write the result | correct what the message names, trigger anew |

The task succeeds whatever the attacks find. `PHOTO_ANONYMIZER_ATTACK_SCHEDULE` (a cron expression) makes it run by itself.
"""

from __future__ import annotations

from airflow.sdk import DAG

from photo_anonymizer_airflow.deployment import defaults, schedule, task_defaults
from photo_anonymizer_airflow.operators.attack_method import AttackMethodOperator
from photo_anonymizer_airflow.params import sample_params

with DAG(
    dag_id="attack_methods",
    description="Attackers who learn, on a sample; the next release's gate judges what they find.",
    doc_md=__doc__,
    schedule=schedule("PHOTO_ANONYMIZER_ATTACK_SCHEDULE"),
    catchup=False,
    max_active_runs=1,
    params=sample_params(defaults()),
    tags=["photos", "privacy"],
    default_args=task_defaults(retries=1),
) as dag:
    AttackMethodOperator(task_id="attack_method")
