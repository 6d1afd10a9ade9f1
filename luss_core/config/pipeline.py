"""The sections of the stages that every preset goes through, and what they want of each other. Imports no torch."""

from typing import Self

from pydantic import Field, model_validator

from luss_core.config.advcam import check_maps
from luss_core.config.base import Section
from luss_core.config.cams import check_scale
from luss_core.config.dataset import PrepareConfig, PriorConfig, SynthesizeConfig
from luss_core.config.inference import (
    ClusterConfig,
    EvaluateConfig,
    ExamineConfig,
    ExportConfig,
    ExtractConfig,
    InferConfig,
    ReportConfig,
)
from luss_core.config.network import BackboneConfig
from luss_core.config.training import FinetuneConfig, PretrainConfig
from luss_core.errors import UserError


class Stages(Section):
    """One section a stage."""

    synthesize: SynthesizeConfig = Field(default_factory=SynthesizeConfig)
    prepare: PrepareConfig = Field(default_factory=PrepareConfig)
    prior: PriorConfig = Field(default_factory=PriorConfig)
    pretrain: PretrainConfig = Field(default_factory=PretrainConfig)
    examine: ExamineConfig = Field(default_factory=ExamineConfig)
    extract: ExtractConfig = Field(default_factory=ExtractConfig)
    cluster: ClusterConfig = Field(default_factory=ClusterConfig)
    finetune: FinetuneConfig = Field(default_factory=FinetuneConfig)
    infer: InferConfig = Field(default_factory=InferConfig)
    evaluate: EvaluateConfig = Field(default_factory=EvaluateConfig)
    export: ExportConfig = Field(default_factory=ExportConfig)
    report: ReportConfig = Field(default_factory=ReportConfig)

    def check_classes(self, classes: int, preset: str) -> None:
        """Stop where there is one kind of object to find, and nothing to tell it from the rest: a classifier of one
        category learns nothing that could.

        Raises:
            UserError: without attention; the message names ``preset``.
        """
        if classes == 1 and not self.finetune.segmenter.attend:
            raise UserError(
                f"config: classes = 1, but nothing in preset {preset} tells one kind of object from the rest: set run:"
                " [shape] or run: [foreground], whose attention does, or set classes to 2 or more"
            )

    @model_validator(mode="after")
    def _attention_to_segment_with(self) -> Self:
        if self.finetune.segmenter.attend and not self.pretrain.attention:
            raise ValueError(
                "finetune.segmenter.attend is true, but pretrain.attention is false: set attend: false and, as in the"
                " paper, encoder: trained"
            )
        check_maps(self.infer.advcam, self.finetune.segmenter.attend)
        return self

    @model_validator(mode="after")
    def _scale_leaves_positions(self) -> Self:
        if isinstance(self.pretrain.backbone, BackboneConfig) and self.finetune.train.epochs:
            sizes = [crop.size for crop in self.finetune.views.crops]
            check_scale(self.finetune.method, sizes, self.pretrain.backbone.pixels[-1])
        return self
