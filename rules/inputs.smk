"""What rules are given: inputs and arguments, as functions of the wildcards."""


def source_of_method(wildcards):
    """The digests of the source of pretrain, where only the module of the chosen method counts."""
    return source(f"pretrain-{PRESETS[wildcards.preset].pretrain.method.name}")


def folders_of_preset(wildcards):
    """Whether the user calls the folders of the images categories. A resource: no training depends on it."""
    return str(PRESETS[wildcards.preset].evaluate.folders).lower()


def prior_of_preset(wildcards):
    """The saliency maps, where the preset of a run is taught by them."""
    return prior_of([wildcards.preset])


def prior_of(presets):
    """The same for several presets."""
    taught = any(
        "saliency" in PRESETS[preset].pretrain.method.needs for preset in presets
    )
    return rules.prior.output.maps if taught else []


def weights_of_preset(wildcards):
    """The file of weights that the preset of a run begins from, which its settings name."""
    file = PRESETS[wildcards.preset].pretrain.weight_file
    return [] if file is None else str(Path(file).expanduser())


def labels_file_of(wildcards):
    """The user's file of labels, where the preset of a run learns from one."""
    return str(LABELLED.get(wildcards.preset, "")) or []


def labels_file_argument(wildcards, input):
    """--labels, where a rule has it as an input."""
    return f"--labels {shlex.quote(str(input.labels))}" if input.labels else ""


def encoder_begun_from(wildcards):
    """The encoder of another preset, where the preset of a run begins from that."""
    first = PRESETS[wildcards.preset].pretrain.weights_of
    if first is None:
        return []
    encoder = rules.pretrain.output.encoder
    return expand(encoder, preset=MAKERS["pretrain"][first], seed=wildcards.seed)[0]


def begin_argument(wildcards, input):
    """--begin, where a run begins from the encoder of another."""
    return f"--begin {input.begin}" if input.begin else ""


def prior_argument(wildcards, input):
    """--prior, where a rule has the saliency maps as an input."""
    return f"--prior {input.prior}" if input.prior else ""


def videos_argument(wildcards, input):
    """--videos, where images are frames."""
    return f"--videos {input.videos}" if input.videos else ""


def photographs_of(wildcards, input):
    """The folder of images; a function, so that braces in its path are no wildcards."""
    return str(input.root if PHOTOGRAPHS is None else PHOTOGRAPHS)


def names_argument(wildcards, input):
    """--names, where the user's file says what the category folders are called."""
    return f"--names {shlex.quote(str(input.names))}" if input.names else ""


def annotated_input(wildcards):
    """The generated data set, where the probes are of that; a folder of the user's is no input, see prepare."""
    return rules.synthesize.output.root if ANNOTATED is None else []


def mark_of_annotated(wildcards):
    """What a data set for probes that the user names goes by; a change of it is said once."""
    data = CONFIG.probes.data
    if data.root is None:
        return ""
    return or_stop(probed.noticed, data, ANNOTATED, Path(DATA, "probes"), WORKS)


def annotated_root(wildcards, input):
    """The folder of the annotated data set."""
    return str(input.root) if ANNOTATED is None else str(ANNOTATED)


def edits_of(wildcards):
    """What people corrected in a run, once they have; read here so that a mistake shows before any work."""
    file = Path(RUN.format(**wildcards), edits_file.NAME)
    if not file.exists():
        return []
    or_stop(edits_file.read_edits, file)
    return str(file)


def edits_argument(wildcards, input):
    """--edits, where people corrected something."""
    return f"--edits {input.edits}" if input.edits else ""


def corrections_argument(wildcards):
    """What evaluate is told of corrections. It runs again when they change, but where no mask is there to score by."""
    file = Path(RUN.format(**wildcards), edits_file.NAME)
    scored = or_stop(runs.largest_id, Path(DATA, "prepare", "summary.json")) > 0
    if not scored or not (mark := or_stop(edits_file.mark, file)):
        return ""
    return f"--edits {file} --clusters {labels_of(wildcards)} --mark {mark}"


def images_of_corrected(wildcards):
    """The image list, which tells whose the masks are that people corrected, where a run learns from such."""
    return rules.prepare.output.images if wildcards.preset in CORRECTED else []


def images_argument(wildcards, input):
    """--images, where a rule has the image list as an input."""
    return f"--images {input.images}" if input.images else ""


def corrected_arguments(wildcards):
    """What finetune is told of corrected masks; other masks, or other merged categories, run it again."""
    if wildcards.preset not in CORRECTED:
        return ""
    edits = Path(RUN.format(**wildcards), edits_file.NAME)
    size, mark = (
        PRESETS[wildcards.preset].infer.size,
        corrected.mark(CORRECTED[wildcards.preset]),
    )
    told = or_stop(corrected.edits_that_matter, edits)
    return f"--size {size} --mark {mark} --edits {shlex.quote(told)}"


def encoder_of(wildcards):
    return made_for(wildcards, "pretrain", rules.pretrain.output.encoder)


def heads_of(wildcards):
    return made_for(wildcards, "pretrain", rules.pretrain.output.heads)


def pretrain_log_of(wildcards):
    return made_for(wildcards, "pretrain", rules.pretrain.output.steps)


def features_of(wildcards):
    return made_for(wildcards, "extract", FEATURES)


def labels_of(wildcards):
    """Where the pseudo labels of a run come from, for what is taught by them or shows them."""
    return made_for(wildcards, "cluster", rules.cluster.output.clusters)


def segmenter_of(wildcards):
    """The network of a run. Rows of wsss that differ in infer alone share one; any other run has its own."""
    segmenter = rules.finetune.output.segmenter
    if wildcards.preset.endswith(wsss_rows.WSSS):
        return made_for(wildcards, "finetune", segmenter)
    return expand(segmenter, preset=wildcards.preset, seed=wildcards.seed)[0]


def scores_of_wsss(wildcards):
    """The scores of all rows of wsss. Looked at first, where that is asked for: whether there is anything to compare."""
    or_stop(wsss_rows.check_asked, CONFIG, Path(DATA, "prepare", "images.csv"))
    presets = dict.fromkeys(row.stages["evaluate"] for row in WSSS.rows)
    return of_runs(rules.evaluate.output.scores, presets)


def balance_of(wildcards):
    return made_for(wildcards, "cluster", rules.cluster.output.balance)


def masks_of(wildcards):
    """Where the masks of a run come from, for what scores or shows them."""
    return expand(MASKS, preset=wildcards.preset, seed=wildcards.seed)[0]


def contents(wildcards, input):
    """What the inputs hold, for the key in the cache. Not compared with the last run, since it depends on `input`."""
    if not CACHED:
        return ""
    return runs.contents(
        Path(file) for name, file in input.items() if name != "source" and file
    )


def paired(presets):
    """The presets that learn from pairs of frames, of which pages show where they find the like of a point."""
    return [name for name in presets if "pairs" in PRESETS[name].pretrain.method.needs]


def share_of_labels(wildcards):
    """The share, once the encoder and the labels are found fit for it: before any job runs."""
    pretrain = PRESETS[wildcards.preset].pretrain
    or_stop(
        probed.check_transfer, CONFIG, wildcards.preset, pretrain, wildcards.percent
    )
    return wildcards.percent


def judged_by(probe):
    """The presets that train the encoders of those tables of the CACL paper that are of a probe."""
    tables = [
        table
        for table in TABLES.tables
        if (table.probes == ("linear",)) == (probe == "linear")
    ]
    return list(
        dict.fromkeys(PAPER_ROWS[row.preset] for table in tables for row in table.rows)
    )


def run_arguments(presets, option="--run"):
    """OPTION NAME:SEED:FOLDER for every run of the presets, each called as the mapping has it."""
    return " ".join(
        text
        for name, preset in presets.items()
        for text in of_runs(f"{option} {name}:{{seed}}:{RUN}", [preset])
    )
