"""What every section of the configuration is made of. Imports no torch."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Factor = Annotated[float, Field(gt=0)]
Dilation = Annotated[int, Field(ge=1, le=8)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values never change after loading.

    Defaults are validated too: 2 becomes 2.0 whether it was written or left out, so settings compare as text.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, validate_default=True)
