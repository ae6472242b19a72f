"""The program behind ``./anonymize``: arguments → one run of the DAG → where the release is."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from photo_anonymizer import claim, outcome
from photo_anonymizer.commandline import add_run_arguments, run_config
from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import ConfigError, PhotoAnonymizerError, SourceError
from photo_anonymizer.files import read_json
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.sources import Limits, check_apart, check_source
from photo_anonymizer_airflow.environment import airflow_environment, fresh_home
from photo_anonymizer_airflow.params import param_values

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_REFUSED = 0, 1, 2, 3
STAGES = {
    "ingest": "Ingest",
    "strip_metadata": "Strip metadata",
    "detect_faces": "Detect faces",
    "anonymize": "Anonymize faces",
    "remove_residual_cues": "Flatten residual cues",
    "render": "Render",
    "embed_faces": "Attack",
    "measure_reidentification": "Measure and escalate",
    "reid_gate": "Gate",
    "export_release": "Publish",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code that the contract names."""
    arguments = _parser().parse_args(argv)
    console = Console(highlight=False)
    try:
        config = run_config(arguments)
        check_source(config.source, Limits.of(config))
        check_apart(config.source, config.out)
        _check_icon(config)
        claim.check(config, RunFolder.of(config, "next"))
    except (ConfigError, SourceError) as error:
        print(f"anonymize: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (PhotoAnonymizerError, OSError) as error:
        print(f"anonymize: {error}", file=sys.stderr)
        return EXIT_FAILED
    published = _versions(config)
    try:
        _stop_like_ctrl_c(signal.SIGTERM, signal.SIGHUP)
        return _run(config, console)
    except KeyboardInterrupt:
        new = ", ".join(sorted(_versions(config) - published))
        print(
            f"anonymize: stopped; {f'published before that: {new}' if new else 'nothing was published'}",
            file=sys.stderr,
        )
        return EXIT_FAILED
    except OSError as error:
        print(f"anonymize: {error}", file=sys.stderr)
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="anonymize",
        description="Turns a folder of photos into a release in which nobody can be recognised.",
        epilog="Exit codes: 0 published, 2 bad usage or configuration, 3 the gate refused, 1 anything else.",
    )
    add_run_arguments(parser)
    return parser


def _versions(config: RunConfig) -> set[str]:
    return {path.name for path in (Path(config.out) / "releases" / config.dataset).glob("v*")}


def _check_icon(config: RunConfig) -> None:
    """The run would refuse an unusable icon as well, but only after Airflow has started."""
    if config.mask.shape == "icon" and config.mask.users_icon:
        from photo_anonymizer.methods.icons import check_icon

        check_icon(config.mask)


def _stop_like_ctrl_c(*signals: signal.Signals) -> None:
    for number in signals:
        if signal.getsignal(number) == signal.SIG_DFL:  # ignored is ignored: nohup
            signal.signal(number, signal.default_int_handler)


def _run(config: RunConfig, console: Console) -> int:
    started = time.monotonic()
    name = f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:6]}"
    logs = Path(config.out) / "workspace" / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    log, home = logs / f"{name}.log", Path(config.out) / "workspace" / f".airflow-{name}"
    console.print(f"dataset {config.dataset}, method {config.chosen_method}")
    console.print(f"log: {log}", soft_wrap=True)
    try:
        fresh_home(home, log)
        run_id = _run_dag(config, home, log, console)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return _report(config, run_id, time.monotonic() - started, console, log)


def _run_dag(config: RunConfig, home: Path, log: Path, console: Console) -> str | None:
    """Runs the DAG in a child process while its progress is shown; returns the run's id, None if it never ended."""
    conf, result = home / "conf.json", home / "result.json"
    conf.write_text(json.dumps(param_values(config)), encoding="utf-8")
    command = [sys.executable, "-m", "photo_anonymizer_airflow.run_once", str(conf), str(result)]
    environment = {"PHOTO_ANONYMIZER_RETRY_DELAY_S": "2", **airflow_environment(home)}
    with log.open("ab") as stream:
        child = subprocess.Popen(
            command,
            env=environment,
            stdout=stream,
            stderr=stream,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _show_progress(config, child, console)
        except BaseException:
            # Not SIGTERM: Airflow's task runner catches it, and the run would go on to publish.
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
    return str(read_json(result)["run_id"]) if result.is_file() else None


def _show_progress(config: RunConfig, child: subprocess.Popen[bytes], console: Console) -> None:
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bars: dict[str, TaskID] = {}
        while child.poll() is None:
            run = _active_run(config)
            if run is not None:
                _update(progress, bars, run)
            time.sleep(0.2)
        if child.returncode == 0:  # the last stages may have ended, and removed the run's files, since the last look
            for bar in bars.values():
                progress.update(bar, completed=progress.tasks[progress.task_ids.index(bar)].total)


def _active_run(config: RunConfig) -> RunFolder | None:
    folder = claim.held_by(config)
    return RunFolder(Path(config.out) / "workspace" / config.dataset / folder) if folder else None


def _update(progress: Progress, bars: dict[str, TaskID], run: RunFolder) -> None:
    for stage, label in STAGES.items():
        try:
            done, total = run.progress(stage)
        except (OSError, ValueError):  # the run has just removed its files, or is writing them
            continue
        if not total:
            continue
        if stage not in bars:
            bars[stage] = progress.add_task(label, total=total)
        bar = progress.tasks[progress.task_ids.index(bars[stage])]
        if not bar.finished:
            progress.update(bars[stage], completed=done, total=total)


def _report(config: RunConfig, run_id: str | None, seconds: float, console: Console, log: Path) -> int:
    ending: dict[str, Any] | None = outcome.of(config, RunFolder.of(config, run_id)) if run_id else None
    if ending and ending["ending"] in ("released", "unchanged"):
        console.print(_table(ending, seconds))
        if ending["unchanged"]:
            console.print("Nothing is new: no version was made. This one stands:")
        release = Path(ending["release"])
        console.print(f"release: {release}", soft_wrap=True)
        console.print(f"report:  {release / 'data' / 'report.html'}", soft_wrap=True)
        _tell_of_deleted(ending, config, console)
        return EXIT_DONE
    if ending and "inputs" in ending:
        console.print(_table(ending, seconds))
    message = ending["message"] if ending else "the run ended early"
    print(f"anonymize: {message}\nNothing was published; the log is {log}", file=sys.stderr)
    return EXIT_REFUSED if ending and ending["ending"] == "refused" else EXIT_FAILED


def _tell_of_deleted(ending: dict[str, Any], config: RunConfig, console: Console) -> None:
    """Whoever deleted photos at the source may owe it to somebody that old versions go as well."""
    if gone := ending["deleted_at_source"]:
        where = f"--out {config.out} --dataset {config.dataset}"
        console.print(
            f"{gone} photos were deleted at the source and are not in this version. Older versions may hold them:\n"
            f"photo-anonymizer versions {where}\nphoto-anonymizer withdraw VERSION {where}",
            soft_wrap=True,
        )


def _table(ending: dict[str, Any], seconds: float) -> Table:
    """How many photos ended how, and how fast."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for status in ("released", "held", "rejected"):
        table.add_row(status, str(ending.get(status, 0)))
        if status == "released" and ending.get("carried_over"):
            table.add_row("  taken over from earlier versions", str(ending["carried_over"]), style="dim")
        for key, count in sorted(ending["reasons"].items()):
            found, _, reason = key.partition(": ")
            if found == status:
                table.add_row(f"  {reason.replace('_', ' ')}", str(count), style="dim")
    table.add_row("seconds", f"{seconds:.1f}")
    table.add_row("photos per second", f"{ending['inputs'] / seconds:.2f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
