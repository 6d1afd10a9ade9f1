"""The presets that come with the workflow."""

from typing import Any

from luss_core.config.methods import METHODS

WHOLE = {"attend": False, "encoder": "trained", "head_lr": 1.0}
"""The whole network is fine-tuned and the maximum of the activation map decides what is foreground, as in the paper."""
FROM_STAGE4 = {"features": "stage4", **WHOLE}
"""The same, segmented from stage 4 of the backbone: without a loss on pixels, those of the decoder's output are not
told apart (embedded set, mIoU of the row attention: 35 to 39 from stage 4, 18 to 22 from the output)."""
TAUGHT = {**FROM_STAGE4, "attend": True}
"""The same where a prior teaches the attention, which decides what is foreground."""
PLAIN = {"decoder": None, "attention": False, "method": {"name": "swav"}}
UNTRAINED = {**PLAIN, "weights": None, "weights_of": None, "frozen_stages": 0, "train": {"epochs": 0}}


def _preset(method: str) -> dict[str, Any]:
    """A method of the registry as it stands there, and fine-tuning that suits what it trains."""
    pretrain = {**METHODS[method].pretrain, "method": {"name": method}}
    if METHODS[method].whole:
        return {"pretrain": pretrain, **METHODS[method].stages}
    return {"pretrain": {"decoder": None, "attention": False, **pretrain}, "finetune": {"segmenter": WHOLE}}


PRESETS: dict[str, dict[str, Any]] = {
    **{name: _preset(name) for name in METHODS},
    "deeplab": {
        "pretrain": {"attention": False, "method": {"name": "swav"}},
        "finetune": {"segmenter": FROM_STAGE4},
    },
    "attention": {"pretrain": {"method": {"name": "swav"}}, "finetune": {"segmenter": FROM_STAGE4}},
    "shape-prior": {
        "pretrain": {"method": {"name": "shape", "i2p_weight": 0.0, "p2p_weight": 0.0}},
        "finetune": {"segmenter": TAUGHT},
    },
    "i2p": {"pretrain": {"method": {"name": "shape", "p2p_weight": 0.0}}},
    "random": {"pretrain": UNTRAINED, "finetune": {"segmenter": WHOLE}},
    "colour": {
        "pretrain": UNTRAINED,
        "extract": {"features": "colour_histogram"},
        "finetune": {"segmenter": WHOLE},
    },
    "single": {"pretrain": UNTRAINED, "cluster": {"assign": "single"}, "finetune": {"segmenter": WHOLE}},
}
"""By name: what each changes in the sections of the stages."""
