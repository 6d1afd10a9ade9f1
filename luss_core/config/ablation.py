"""What the page of an ablation is told of its rows. Imports no torch."""

from pydantic import Field

from luss_core.config.base import Section
from luss_core.config.inference import ClusterConfig, ExtractConfig, InferConfig
from luss_core.config.training import FinetuneConfig, SegmenterConfig


class PipelineConfig(Section):
    """The stages between an encoder and its masks."""

    extract: ExtractConfig = Field(default_factory=ExtractConfig)
    cluster: ClusterConfig = Field(default_factory=ClusterConfig)
    finetune: FinetuneConfig = Field(default_factory=FinetuneConfig)
    infer: InferConfig = Field(default_factory=InferConfig)


class RowConfig(Section):
    """What sets one row apart, as texts such as `decoder: null → {...}`."""

    name: str
    """Of its preset."""
    pretrain: tuple[str, ...] = ()
    """Settings of pretrain that are not those of the row before; none for the first row."""
    segmenter: SegmenterConfig = Field(default_factory=SegmenterConfig)
    """Of the row's own preset."""
    pipeline: tuple[str, ...] = ()
    """Settings of the later stages of the row's own preset that are not those of the common pipeline."""


class RowsConfig(Section):
    """The rows in their order, and the pipeline that they have in common."""

    common: PipelineConfig = Field(default_factory=PipelineConfig)
    rows: tuple[RowConfig, ...]
