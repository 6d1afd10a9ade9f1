"""`luss photos` from its words to the end of Snakemake, for which small programs stand in."""

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import pytest
from folders import save

from luss_core import __main__
from luss_core.errors import UserError
from luss_core.photos import choice, command, ending, running, settings
from luss_core.photos.encoders import ENCODERS
from luss_core.photos.progress import Progress
from luss_core.photos.timing import Speed
from luss_core.photos.watch import End, Screen, watch

LITE = ENCODERS["efficientnet-lite0"]
TABLE = [
    "Job stats:",
    "job         count",
    "--------  -------",
    "all             1",
    "prepare 1",
    "infer 2",
    "total 4",
    "",
]


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """A folder, and beside it the working folder; nothing is measured, and no server is asked."""
    root = tmp_path / "my 'photos' $HOME 写真"
    for number in range(24):
        save(root / f"{number}.jpg", 20, 30 + number, seed=number)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(choice, "tried", lambda trial: Speed("cpu", 8, 0.01, dict.fromkeys(trial.encoders, 0.05)))
    monkeypatch.setattr(choice.encoders.choose, "__defaults__", ({LITE: "timm"}.get,))
    monkeypatch.setattr(choice, "CAN_ASK", False)
    return root


def planned(capsys, *words) -> str:
    command.main([*map(str, words), "--plan"])
    return capsys.readouterr().out


def test_the_command_that_is_printed_works_by_itself(photographs, capsys):
    said = planned(capsys, photographs, "--categories", 3)
    (line,) = re.findall("^  (.*snakemake .*)$", said, re.MULTILINE)
    words = shlex.split(line)
    assert words[-4:] == ["--cores", "all", "--configfile", "my-photos-home.yaml"]
    run = subprocess.run([sys.executable, "-m", "snakemake", *words[1:], "-n"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    progress = Progress({})
    for text in (run.stdout + run.stderr).splitlines():
        progress.feed(text, 0)
    assert progress.total == 11
    assert "  pretrain  learning what is foreground" in said


def test_the_same_command_again_goes_on(photographs, capsys):
    first = planned(capsys, photographs)
    file = Path("my-photos-home.yaml")
    assert "Settings: my-photos-home.yaml, written now" in first
    assert "categories: 2, since nobody said how many" in first
    text = file.read_text(encoding="utf-8")
    assert "as it was" in planned(capsys, photographs)
    assert file.read_text(encoding="utf-8") == text
    assert "now with classes: 5" in planned(capsys, photographs, "--categories", 5)
    said = "--minutes 3: has no effect here, since it decides the encoder, and my-photos-home.yaml has one"
    assert said in planned(capsys, photographs, "--minutes", 3)
    assert settings.load(file)["classes"] == 5
    assert "as it was" in planned(capsys, photographs, "--encoder", "efficientnet-lite0", "--categories", 5)
    with pytest.raises(UserError, match="with the encoder efficientnet-lite0, and has .* add --name my-photos-home-2"):
        planned(capsys, photographs, "--encoder", "dinov2-small")


def test_a_file_of_weights_is_named_with_its_whole_path(photographs, capsys):
    Path("w {x}.pth").touch()
    planned(capsys, photographs, "--encoder", "w {x}.pth", "--name", "mine")
    assert settings.weights_in(settings.checked(settings.load(Path("mine.yaml")))) == str(Path("w {x}.pth").resolve())


def test_a_folder_from_make(photographs, capsys, monkeypatch):
    monkeypatch.setenv("LUSS_DATA", str(photographs))
    assert f"Looking at {photographs}" in planned(capsys, "--categories", 4)
    assert command._again(["--cores", "1"], "/a 'b'") == """make photos DATA='/a '"'"'b'"'"'' ARGS='--cores 1'"""
    with pytest.raises(UserError, match="no folder was named"):
        command.main([])


def test_words_that_cannot_be_used(photographs, capsys):
    for words in (["--minutes", "0"], ["--minutes", "soon"], ["--cores", "-1"], ["--suggest", "--categories", "3"]):
        with pytest.raises(SystemExit):
            command.main([str(photographs), *words])
        assert "luss photos: error: argument --" in capsys.readouterr().err


def test_progress_says_which_stage_and_corrects_itself():
    progress = Progress({"prepare": 60.0, "infer": 120.0})
    assert progress.sentence(0) == "planning"
    news = [progress.feed(line, 0.0) for line in TABLE]
    assert not any(news)
    assert (progress.total, progress.left(0)) == (3, 300)
    assert progress.feed("localrule prepare:", 0.0)
    assert progress.sentence(0) == "stage 1 of 3: checking and packing the photographs, about 5 min left"
    assert progress.left(20) == 280
    progress.feed("12:00:00 240 images in rule infer:", 100.0)
    progress.feed("Finished jobid: 2 (Rule: prepare)", 180.0)  # took three times as long as estimated
    pace = (60 + 180) / (60 + 60)  # a fifth of all the work counts as it was estimated
    assert progress.left(180) == 240 * pace
    progress.feed("rule infer:", 180.0)
    assert progress.left(180 + 10_000) == 120 * pace + 0.15 * 10_000
    progress.feed("localrule all:", 180.0)
    assert progress.sentence(180).startswith("stage 2 of 3: painting the masks, about 8 min left")


def program(tmp_path, text) -> list[str]:
    file = tmp_path / "program.py"
    file.write_text(text, encoding="utf-8")
    return [sys.executable, "-u", str(file)]


def test_what_snakemake_says_goes_to_a_file_and_progress_to_the_screen(tmp_path, capsys):
    log = tmp_path / "logs" / "trip.log"
    log.parent.mkdir()
    log.write_text("of before\n", encoding="utf-8")
    lines = [*TABLE, "localrule prepare:", "error: \udcff no", "the end"]
    text = f"import sys\nfor line in {lines!r}: sys.stderr.buffer.write(line.encode(errors='surrogateescape') + b'\\n')"
    end = watch(program(tmp_path, text + "\nsys.exit(3)"), log, {})
    assert (end.status, end.stopped) == (3, False)
    assert end.said == [*TABLE, "localrule prepare:", "error: \ufffd no", "the end"]
    assert log.read_bytes().startswith(b"of before\nJob stats:")
    assert re.fullmatch(r"\d\d:\d\d stage 1 of 3: checking .* left\n", capsys.readouterr().out)


WAITS = """
import signal, sys, time
def stop(number, _):
    print("saved after", signal.Signals(number).name)
    sys.exit(1)
for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, stop)
print("ready")
time.sleep(60)
"""


@pytest.mark.parametrize(("number", "heard"), [(signal.SIGINT, "SIGINT"), (signal.SIGHUP, "SIGTERM")])
def test_who_stops_it_stops_snakemake_which_saves(tmp_path, capsys, number, heard):
    log = tmp_path / "trip.log"

    def stop():
        while not log.exists() or "ready" not in log.read_text():
            time.sleep(0.05)
        os.kill(os.getpid(), number)

    threading.Thread(target=stop).start()
    end = watch(program(tmp_path, WAITS), log, {})
    assert (end.status, end.stopped) == (128 + number, True)
    assert end.said[-1] == f"saved after {heard}"
    assert ("Stopping; what works now saves" in capsys.readouterr().out) == (number == signal.SIGINT)


class Terminal:
    def __init__(self, changing=True):
        self.text, self.changing = "", changing

    def isatty(self):
        return self.changing

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_a_terminal_has_one_line_that_changes(monkeypatch):
    monkeypatch.setenv("COLUMNS", "10")
    terminal = Terminal()
    screen = Screen(terminal)
    for sentence in ("0123456789", "0123456789", "next"):
        screen.show(sentence, 1, 0.0)
    screen.end()
    assert terminal.text == "\r\x1b[K012345678\r\x1b[Knext\r\x1b[K"


def test_a_log_hears_of_a_long_stage_every_half_minute():
    log = Terminal(changing=False)
    screen = Screen(log)
    screen.show("planning", 0, 1000.0)
    for now in (1001.0, 1002.0, 1030.0, 1031.0, 1060.0, 1061.0, 1062.0):
        screen.show(f"stage 1 at {now:.0f}", 1, now, news=now == 1001.0)
    screen.show("stage 2", 2, 1063.0, news=True)
    assert re.findall("stage.*", log.text) == ["stage 1 at 1001", "stage 1 at 1031", "stage 1 at 1061", "stage 2"]


def test_the_error_is_the_last_that_is_said():
    said = ["error: of before", "x", "pretrain failed; its log is l", "error: pretrain.weights: no", "  more", ""]
    assert ending.failure(said, Path("trip.log"), "luss photos x")[-3:] == said[2:5]
    assert ending.failure(["a", "", "b"], Path("trip.log"), "luss photos x")[-2:] == ["a", "b"]


def ends(monkeypatch, *given):
    """Snakemake that ends so and so; what it was called with."""
    called, waiting = [], list(given)

    def stand_in(words, *_):
        called.append(list(words))
        return waiting.pop(0)

    monkeypatch.setattr(running, "watch", stand_in)
    Path("results/trip/prepare").mkdir(parents=True)
    Path("results/trip/prepare/summary.json").write_text('{"largest_mask_id": 3}')
    return called


def test_photographs_are_asked_before_they_are_grouped(photographs, capsys, monkeypatch):
    monkeypatch.setattr(choice, "CAN_ASK", True)
    called = ends(monkeypatch, End(0, False, []), End(0, False, []))
    Path("results/trip/suggest").mkdir(parents=True)
    Path("results/trip/suggest/suggest.json").write_text('{"runs": [{"categories": 7, "words": ["Between 6 and 9"]}]}')
    with pytest.raises(SystemExit) as end:
        command.main([str(photographs), "--name", "trip"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert called[0] == [*called[1], "--", "suggest"]
    assert settings.load(Path("trip.yaml"))["classes"] == 7
    assert "  Between 6 and 9\n" in said
    assert "taken: 7; for another number give the same command with --categories N" in said
    assert "report/index.html" in said


def test_photographs_that_give_no_answer_get_the_usual_number(photographs, capsys, monkeypatch):
    monkeypatch.setattr(choice, "CAN_ASK", True)
    Path("results/trip/frozen/seed0/extract").mkdir(parents=True)
    called = ends(monkeypatch, End(1, False, ["error: too few"]), End(130, True, []))
    Path("results/trip/frozen/seed0/extract/features.h5").touch()
    with pytest.raises(SystemExit) as end:
        command.main([str(photographs), "--name", "trip"])
    assert (len(called), end.value.code, settings.load(Path("trip.yaml"))["classes"]) == (2, 130, 3)
    assert capsys.readouterr().out.splitlines()[-1].endswith("--name trip")
    monkeypatch.setattr(running, "watch", lambda *_: End(1, False, ["error: no"]))
    with pytest.raises(SystemExit):
        command.main([str(photographs), "--name", "other"])  # which failed before
    assert "classes" not in settings.load(Path("other.yaml"))
    assert capsys.readouterr().out.splitlines()[-1] == "error: no"


def test_luss_without_words_teaches(capsys):
    __main__.main([])
    said = capsys.readouterr().out
    for deed in __main__.DEEDS:
        assert (deed.example in said) == (deed.command in __main__.COMMANDS)
    assert all(f"\n  {name} " in said for name in __main__.COMMANDS)


@pytest.mark.parametrize("name", __main__.COMMANDS)
def test_every_command_explains_itself_by_example(name, capsys):
    with pytest.raises(SystemExit) as end:
        __main__.main([name, "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: luss {name} ")
    assert re.search(rf"^  +luss {name}\b", said, re.MULTILINE)


def test_unknown_commands(tmp_path):
    with pytest.raises(UserError, match="there is no command 'photo'; did you mean photos?"):
        __main__.main(["photo", "x"])
    with pytest.raises(UserError, match=f"luss photos {tmp_path}"):
        __main__.main([str(tmp_path)])


def test_ctrl_c_is_no_traceback(capsys, monkeypatch):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("luss_core.cli.run", stop)
    with pytest.raises(SystemExit) as end:
        __main__.script()
    assert end.value.code == 130
    assert capsys.readouterr().err == "\nstopped by Ctrl-C\n"


def test_the_console_script_is_this_module():
    scripts = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"luss": "luss_core.__main__:script"}
    assert callable(__main__.script)
