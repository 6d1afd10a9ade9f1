"""The studio without a browser: what can be done to categories, who is let in, and which run is meant."""

import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from fake_run import ABOUT, FakeRun, write_data, write_run
from starlette.testclient import TestClient

from luss_core.config import ReportConfig
from luss_core.data.features import read_clusters, write_features
from luss_core.data.masks import read_mask
from luss_core.edits import Conflict, Edits
from luss_core.edits_file import NAME, read_edits
from luss_core.errors import UserError
from luss_core.report.aligned import write_runs
from luss_core.report.gallery_data import areas
from luss_core.stages.all_images import GALLERY, Files, all_images, read_files
from luss_core.studio import command
from luss_core.studio.app import make_app
from luss_core.studio.operations import Operation, as_background, divided, merged, moved, named, restored
from luss_core.studio.session import Session, found_run, smaller_half

START = Edits(clustering="d", categories=4)


def test_names():
    assert named(START, 2, "  red \t tulip ").names == {2: "red tulip"}
    assert named(named(START, 2, "tulip"), 2, " ").names == {}
    with pytest.raises(UserError, match="one line of 1 to 80 letters"):
        named(START, 2, "x" * 81)


def test_merging_keeps_the_one_name():
    edits = merged(named(START, 1, "tulip"), 1, 3)
    assert edits.called(["other", "a", "b", "c", "d"])[3] == "tulip"
    assert merged(named(edits, 3, "rose"), 3, 4).shown == [2, 4]
    with pytest.raises(UserError, match="into itself"):
        merged(START, 2, 2)
    with pytest.raises(UserError, match="there is no category 1 any more"):
        merged(edits, 1, 2)
    assert restored(edits, 1).shown == [1, 2, 3, 4]


def test_background_and_back():
    edits = as_background(START, 2)
    assert edits.shown == [1, 3, 4]
    assert restored(edits, 2).empty


def test_an_image_is_moved_there_and_back():
    edits = moved(START, {"train/a": {1, 4}}, 2)
    assert edits.moved == {"train/a": {1: 2, 4: 2}}
    assert [edits.category_of(k, "train/a") for k in (1, 2, 3, 4)] == [2, 2, 3, 2]
    assert moved(edits, {"train/a": {1}}, 1).moved == {"train/a": {4: 2}}


def test_a_split_category_of_merged_ones():
    edits = divided(merged(named(START, 3, "tulip"), 1, 3), 3, ["train/a"])
    assert edits.split == {5: 3}
    assert edits.names == {3: "tulip", 5: "tulip (2)"}
    assert [edits.category_of(k, "train/a") for k in (1, 2, 3)] == [5, 2, 5]
    assert [edits.category_of(k, "train/b") for k in (1, 2, 3)] == [3, 2, 3]
    assert divided(edits, 5, ["train/a"]).split == {5: 3, 6: 5}


def test_the_smaller_half_is_found():
    vectors = np.concatenate([np.zeros((3, 2)), np.ones((5, 2))])
    assert smaller_half(vectors).tolist() == [True] * 3 + [False] * 5
    with pytest.raises(UserError, match="look the same"):
        smaller_half(np.ones((4, 2)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studio")
    fake = FakeRun(folder / "results", folder / "results" / "frozen" / "seed0", 3, truth=False)
    write_data(fake)
    write_run(fake)
    found, files = read_clusters(fake.run / "cluster" / "clusters.h5"), fake.arguments()
    with write_features(fake.run / "features.h5", len(found.row), 4, ABOUT) as writer:
        writer.append(np.random.default_rng(0).random((len(found.row), 4)), found.row)
    parts = (files[name] for name in ("images", "store", "masks", "scores", "clusters"))
    given = Files(*parts, fake.run / "features.h5", fake.run / NAME)
    all_images(ReportConfig(), given, out=fake.run / GALLERY, title="made up", threads=1)
    return fake.run


@pytest.fixture
def session(run: Path) -> Session:
    (run / NAME).unlink(missing_ok=True)
    return Session(*read_files(run), threads=1)


def test_the_files_of_a_run_are_found_where_they_are(run: Path):
    files, title, limit = read_files(run)
    assert (title, limit) == ("made up", 5000)
    assert files.images == run.parents[1] / "prepare" / "images.csv"
    assert files.edits == run / NAME


@pytest.mark.parametrize("below", [".", "report", "report/gallery/index.html", "..", "../.."])
def test_a_run_is_found(run: Path, below: str):
    assert found_run(run / below).resolve() == run


def test_no_run_is_said(tmp_path: Path):
    with pytest.raises(UserError, match="is no folder"):
        found_run(tmp_path / "nowhere")
    with pytest.raises(UserError, match="holds no run"):
        found_run(tmp_path)
    for name in "ab":
        (tmp_path / name / GALLERY).mkdir(parents=True)
    with pytest.raises(UserError, match="holds 2 runs; name one of them"):
        found_run(tmp_path)
    with pytest.raises(UserError, match="run the stage that writes it"):
        read_files(tmp_path / "a")


def test_a_session_writes_and_shows(session: Session, run: Path):
    first = session.source.name(session.rows[-1])
    raw = read_mask(run / "infer" / "masks" / f"{first}.png")
    kept = int(np.unique(raw[raw > 0])[0])
    session.do(Operation(do="background", base=0, category=kept))
    assert read_edits(run / NAME).background == (kept,)
    assert session.state()["undoable"] == 1
    before = session.mask(session.rows[-1])
    session.do(Operation(do="undo", base=1))
    assert read_edits(run / NAME).empty
    assert session.mask(session.rows[-1]) != before
    assert session.photo(10**6) is None
    with pytest.raises(Conflict, match="reload"):
        session.do(Operation(do="undo", base=99))


def test_several_images_are_moved_at_once(session: Session, run: Path):
    rows = tuple(session.rows[-3:])
    session.do(Operation(do="move", base=0, images=rows, into=2))
    edits = read_edits(run / NAME)
    for row in rows:
        held = [k for k, _ in areas(session.source.mask(row)) or []]
        assert {edits.category_of(k, session.source.name(row)) for k in held} == {2}
    assert session.state()["undoable"] == 1
    session.do(Operation(do="undo", base=1))
    assert read_edits(run / NAME).empty
    with pytest.raises(UserError, match="no image is chosen"):
        session.do(Operation(do="move", base=2, into=2))


def test_corrections_of_another_clustering_are_kept_aside(run: Path):
    (run / NAME).write_text("clustering: another\nnames: {1: tulip}\n")
    session = Session(*read_files(run), threads=1)
    (aside,) = run.glob("edits.*.yaml")
    assert read_edits(aside).names == {1: "tulip"}
    assert aside.name in session.notice
    assert session.edits.empty
    aside.unlink()


def test_a_correction_by_hand_is_seen(session: Session, run: Path):
    (run / NAME).write_text("names: {1: tulip}\n")
    assert session.state()["edits"]["names"] == {1: "tulip"}
    session.do(Operation(do="name", base=0, category=2, name="rose"))
    assert read_edits(run / NAME).names == {1: "tulip", 2: "rose"}


TOKEN = "not-known-to-others"  # noqa: S105
OWN = {"Origin": "http://127.0.0.1:8701"}


@pytest.fixture
def client(session: Session) -> TestClient:
    found = TestClient(make_app(session, TOKEN), base_url="http://127.0.0.1:8701", follow_redirects=False)
    answer = found.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=strict" in answer.headers["set-cookie"]
    return found


def test_the_page_comes_without_the_token(client: TestClient):
    answer = client.get("/")
    assert answer.status_code == 200
    assert TOKEN not in answer.text
    assert answer.headers["x-frame-options"] == "DENY"
    assert client.get("/photo/0.jpg").content[:2] == b"\xff\xd8"
    assert client.get("/mask/20.png").content[:4] == b"\x89PNG"


def test_other_runs_are_served_once_they_are_aligned(client: TestClient, run: Path):
    folder = run.parents[1] / "align"
    assert client.get("/align/runs.html").status_code == 404
    folder.mkdir()
    try:
        write_runs(folder, {"runs": []})
        assert client.get("/align/runs.html").json() == {"runs": []}
        assert client.get("/align/1.html").status_code == 404
        assert client.get("/align/..%2Fruns.html").status_code == 404
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "path", ["/mask/0.png", "/photo/99999.jpg", "/photo/../edits.yaml", "/edits.yaml", "/photo/-1.jpg"]
)
def test_nothing_else_is_served(client: TestClient, path: str):
    assert client.get(path).status_code == 404  # the first image was not segmented


def test_strangers_are_not_let_in(session: Session):
    stranger = TestClient(make_app(session, TOKEN), base_url="http://127.0.0.1:8701", follow_redirects=False)
    for path in ("/", "/state", "/photo/0.jpg", "/?token=guessed"):
        assert stranger.get(path).status_code == 403
    assert "open the whole address" in stranger.get("/").text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8701", "192.168.0.7:8701", "[::1", ""])
def test_other_names_of_the_machine_are_not_answered(client: TestClient, host: str):
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 403
    assert "this machine only" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {**OWN, "Content-Type": "text/plain"},
        {**OWN, "Content-Length": str(10**9)},
    ],
)
def test_pages_of_others_cannot_write(client: TestClient, run: Path, headers: dict[str, str]):
    body = json.dumps({"do": "name", "base": 0, "category": 1, "name": "x"})
    answer = client.post("/edit", content=body, headers={"Content-Type": "application/json", **headers})
    assert answer.status_code == 403
    assert not (run / NAME).exists()


def test_what_is_sent_is_checked(client: TestClient):
    def send(**values: object) -> tuple[int, str]:
        answer = client.post("/edit", json=values, headers=OWN)
        return answer.status_code, answer.json().get("error", "")

    assert send(do="name", base=0, category=1, name="<b>") == (200, "")
    assert send(do="name", base=0, category=1, name="other")[0] == 409
    assert send(do="format the disk", base=0)[0] == 400
    assert send(do="name", base=0, category=1, surprise=1)[0] == 400
    assert send(do="merge", base=1, category=1, into=77)[1] == (
        "there is no category 77 any more; look at the list and choose again"
    )
    assert send(do="move", base=1, images=[10**6], into=1)[0] == 400


def test_a_port_in_use_is_passed_over():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with command.bound(taken) as found:
            assert taken < found.getsockname()[1] <= taken + command.TRIED


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="needs starlette and uvicorn, which are not installed: .* -m pip install"):
        command.main(["somewhere"])


@pytest.mark.parametrize("port", ["0", "70000"])
def test_a_port_that_cannot_be(port: str):
    with pytest.raises(UserError, match="allowed are 1 to 65535"):
        command.main(["somewhere", "--port", port])
