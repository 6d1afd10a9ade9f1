"""Table 7 of the LUSS paper: what it asks, its numbers, and what they are of."""

from luss_core.report.papers import Reported

WHOLE = "100 %"
S50, S300 = "S50", "S300"
SOURCES = {S50: "ImageNet-S50", S300: "ImageNet-S300"}
"""What was pre-trained on. Table 7 names no network; where the paper does, ResNet-18 goes with ImageNet-S50 and
ResNet-50 with the larger sets."""

NAMES = {"supervised": "Sup.", "moco": "MoCo", "swav": "SwAV", "shape": "Ours"}
"""The columns of the table, by the preset of the same method here."""

_VALUES = {
    S50: {"supervised": 61.5, "moco": 62.1, "swav": 59.0, "shape": 65.1},
    S300: {"supervised": 74.4, "moco": 72.4, "swav": 74.3, "shape": 75.4},
}
REPORTED: Reported = {source: {WHOLE: values} for source, values in _VALUES.items()}
"""mIoU in percent of PASCAL VOC, with all labels; one run each, as far as the paper says."""

QUESTION = (
    "What is an encoder worth where labels are at hand? A segmentation network, DeepLabV3+, begins from the backbone"
    " of each encoder and from nothing else of it; then all of the network learns from labelled pixels, in the same way"
    " for every encoder. The control begins from random weights. The paper asks it of its own method against supervised"
    " pre-training on the same photographs, and finds its own ahead: by 3.6 points after ImageNet-S50, by 1.0 after"
    " ImageNet-S300."
)
CAVEAT = (
    "The paper’s numbers are of PASCAL VOC 2012 with all of its labels. Its supervised encoder learned from the labels"
    " of ImageNet-S, not of all of ImageNet. It does not say which networks these are, how long and in what crops they"
    " learned to segment, whether convolutions were separable, or how many runs there were; it has no fractions of the"
    " labels. Compare the order of rows with it, not the heights."
)
