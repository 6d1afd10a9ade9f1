"""What a failed run ends with."""

import logging
from pathlib import Path

from snakemake.logging import LogEvent

from luss_core import last_words


def record(event, **fields):
    return logging.makeLogRecord({"event": event, "msg": "", **fields})


def test_the_message_of_a_failed_job_comes_last_and_whole(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = Path("pretrain.log")
    log.write_text("09:38:09 pretrain: shape\nerror: config: 2 settings\n  classes: 1\n  gpus: 0\n")
    failures = last_words.Failures()
    failures.filter(record(LogEvent.JOB_ERROR, jobid=4, rule_name="pretrain", log=[log], shellcmd="python"))
    monkeypatch.chdir("/")  # as Snakemake does
    failures.tell()
    said = capsys.readouterr().err
    assert said.endswith(f"pretrain failed; its log is {log}\nerror: config: 2 settings\n  classes: 1\n  gpus: 0\n")


def test_of_a_job_that_did_better_when_tried_again_nothing_is_said(tmp_path, capsys):
    failures = last_words.Failures()
    failures.filter(record(LogEvent.JOB_ERROR, jobid=4, rule_name="pretrain", log=[tmp_path / "none.log"]))
    failures.filter(record(LogEvent.JOB_FINISHED, job_id=4))
    failures.tell()
    assert capsys.readouterr().err == ""


def test_jobs_of_a_group_are_told_each():
    failures = last_words.Failures()
    jobs = [{"jobid": n, "rule_name": name, "log": []} for n, name in enumerate(("extract", "cluster"))]
    failures.filter(record(LogEvent.GROUP_ERROR, job_error_info=jobs, aux_logs=[]))
    assert [job[:2] for job in failures.jobs.values()] == [("extract", []), ("cluster", [])]


def test_a_job_without_a_message_is_told_from_one_that_was_killed(tmp_path):
    log = tmp_path / "infer.log"
    log.write_text('Traceback (most recent call last):\n  File "x", line 1\nValueError: odd\n')
    assert last_words.last_words("infer", ["infer.log"], tmp_path) == (
        "error: infer failed in a way that is not foreseen: ValueError: odd; its log says where: infer.log"
    )
    log.write_text("09:38:09 step 30 of 300\n")
    said = last_words.last_words("infer", ["infer.log"], tmp_path)
    assert "killed" in said
    assert "'09:38:09 step 30 of 300'" in said
    assert "before it wrote a log" in last_words.last_words("infer", ["none.log"], tmp_path)


def test_the_command_stays_off_the_screen_and_in_the_log():
    class Shown(logging.Formatter):
        def format(self, record):
            return f"{record.getMessage()} {record.__dict__.get('shellcmd')}"

    logger = logging.Logger("test")
    texts: dict[str, list[str]] = {last_words.SCREEN: [], "file": []}
    for name, lines in texts.items():
        handler = logging.Handler()
        handler.name = name
        handler.emit = lambda record, lines=lines, handler=handler: lines.append(handler.format(record))
        handler.setFormatter(Shown())
        logger.addHandler(handler)
    failures = last_words.listen(logger)
    extra = {"event": LogEvent.JOB_ERROR, "jobid": 1, "rule_name": "infer", "log": [], "shellcmd": "python --settings"}
    logger.error("failed", extra=extra)
    logger.error("RuleException:\nCalledProcessError in file x: Command 'python --settings'")
    assert texts[last_words.SCREEN] == ["failed None"]
    assert [line.split()[-2:] for line in texts["file"]][0] == ["python", "--settings"]
    assert len(texts["file"]) == 2
    assert [job[0] for job in failures.jobs.values()] == ["infer"]
