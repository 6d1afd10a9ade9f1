"""The settings of a run: those that are there already, or new ones with the encoder that the time allows."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from luss_core.__main__ import COMMANDS
from luss_core.config import Config
from luss_core.data.facts import Facts
from luss_core.errors import UserError
from luss_core.photos import encoders, folder, settings, work
from luss_core.photos.encoders import ENCODERS, Chosen, Ready
from luss_core.photos.timing import Speed, Trial, tried

CAN_ASK = "suggest" in COMMANDS
MINUTES = 30.0
"""Where nobody says how long it may take."""


class Wish(NamedTuple):
    """What the user asks for; None where that is left open."""

    root: Path
    categories: int | None
    minutes: float | None
    encoder: str | None
    name: str | None
    cores: int
    suggest: bool = False
    """Whether the photographs are asked how many categories there are, though settings say it already."""

    @property
    def most(self) -> float:
        """Minutes that there are."""
        return MINUTES if self.minutes is None else self.minutes

    @property
    def weights(self) -> Path | None:
        """The file that is to be the encoder, where it is no name."""
        return None if self.encoder is None or self.encoder in ENCODERS else Path(self.encoder).expanduser().resolve()


class Choice(NamedTuple):
    """What will run."""

    file: Path
    """The settings."""
    config: Config
    estimates: dict[str, float]
    """Seconds of each stage."""
    device: str
    said: list[str]
    """What was chosen and why, and what to do for another choice."""
    undecided: int | None
    """How many categories to look for if the photographs, which are asked, do not say; None where it is settled."""


def settle(wish: Wish, facts: Facts, work_folder: Path) -> Choice:
    """Take the settings that there are of this folder, or write new ones.

    Raises:
        UserError: a wish that cannot be met, or that the settings contradict.
    """
    candidates, count = encoders.named(wish.encoder), folder.learned(facts)
    place = settings.place(wish.root, wish.name, work_folder)
    if wish.categories is not None:
        folder.check_categories(wish.categories, count)
    if place.values is not None:
        return _as_it_was(wish, place, facts, count)
    trial = Trial(tuple(ready.name for ready in candidates), _some(facts, wish.root), _text(wish.weights))
    speed = tried(trial)
    plans = _plans(speed, count, wish.cores)
    chosen, reasons = _chosen(wish, [ready for ready in candidates if ready.name in plans], plans)
    classes = wish.categories or (None if CAN_ASK else folder.categories_for(count))
    settings.write(place.file, settings.text_of(place.name, wish.root, classes, chosen))
    config = settings.checked(settings.load(place.file))
    said = [f"Settings: {place.file.name}, written now and yours to change", *_of_classes(wish, classes)]
    said.append(f"  encoder: {chosen.ready.name}, {_whence(chosen)}" + (f" ({'; '.join(reasons)})" if reasons else ""))
    if sum(plans[chosen.ready.name].values()) > 60 * wish.most:
        said.append(f"  no encoder is ready within {wish.most:g} minutes; of those that can be had this is the fastest")
    undecided = folder.categories_for(count) if classes is None else None
    return Choice(place.file, config, plans[chosen.ready.name], speed.device, said, undecided)


def _as_it_was(wish: Wish, place: settings.Place, facts: Facts, count: int) -> Choice:
    """The settings that there are, with another number of categories where that is asked for."""
    before = settings.checked(settings.load(place.file))
    ready = settings.encoder_in(before)
    _check_encoder(wish, place, before, ready)
    config, said = before, [f"Settings: {place.file.name}, as it was; to begin anew with others give another --name"]
    if wish.categories is not None and wish.categories != (place.values or {}).get("classes"):
        config = settings.change_classes(place.file, wish.categories)
        said = [f"Settings: {place.file.name}, now with classes: {wish.categories}; what comes before clustering stays"]
    near = ready or encoders.SMALLEST
    speed = tried(Trial((near.name,), _some(facts, wish.root), None))
    asked = CAN_ASK and (wish.suggest or "classes" not in settings.load(place.file))
    undecided = folder.categories_for(count) if asked else None
    said += _of_classes(wish, None) if undecided else [f"  categories: {config.classes}"]
    said += [f"  encoder: {ready.name}"] if ready is not None else []
    if wish.minutes is not None:
        said.append(
            f"  --minutes {wish.minutes:g}: has no effect here, since it decides the encoder, and {place.file.name} has"
            f" one; to choose anew beside it add --name {place.name}-2, or name one: --encoder {' or '.join(ENCODERS)}"
            f" --name {place.name}-2"
        )
    return Choice(place.file, config, _plans(speed, count, wish.cores)[near.name], speed.device, said, undecided)


def _check_encoder(wish: Wish, place: settings.Place, config: Config, ready: Ready | None) -> None:
    """Raises:
    UserError: another encoder is asked for than the settings have.
    """
    if wish.encoder is None:
        return
    found = settings.weights_in(config)
    same = found == str(wish.weights) if wish.weights is not None else ready is ENCODERS.get(wish.encoder)
    if not same:
        here = ready.name if ready is not None and wish.weights is None else found
        raise UserError(
            f"--encoder {wish.encoder}: {place.file.name} is there, with the encoder {here}, and has results; to try"
            f" another beside it add --name {place.name}-2, to replace it delete {shlex.quote(place.file.name)} first"
        )


def _chosen(wish: Wish, candidates: Sequence[Ready], plans: dict[str, dict[str, float]]) -> tuple[Chosen, list[str]]:
    if wish.weights is not None:
        return Chosen(candidates[0], str(wish.weights)), []
    minutes = {name: sum(plan.values()) / 60 for name, plan in plans.items()}
    return encoders.choose(candidates, minutes, wish.most)


def _plans(speed: Speed, count: int, cores: int) -> dict[str, dict[str, float]]:
    """Seconds of each stage, by the name of the encoder."""
    shared = work.shared_by(cores) if speed.device == "cpu" else 1.0
    return {
        name: work.plan(count, work.Machine(cores, speed.start, speed.read, forward / shared))
        for name, forward in speed.passes.items()
    }


def _some(facts: Facts, root: Path) -> tuple[str, ...]:
    """Some of the photographs, evenly."""
    images = facts.listing.images
    return tuple(str(root / listed.path) for listed in images[:: max(1, len(images) // 8)])


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _of_classes(wish: Wish, classes: int | None) -> list[str]:
    if classes is None:
        return ["  categories: the photographs are asked how many; to say it yourself add --categories N"]
    if wish.categories is not None:
        return [f"  categories: {classes}"]
    return [
        f"  categories: {classes}, since nobody said how many; look at the page, and for another number give the same"
        " command with --categories N: what comes before clustering is kept"
    ]


def _whence(chosen: Chosen) -> str:
    if chosen.weights == "timm":
        return f"its weights by timm ({chosen.ready.megabytes} MB, downloaded once)"
    return f"its weights from {chosen.weights}"
