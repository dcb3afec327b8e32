"""params.yaml as checked, immutable objects."""

import codecs
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML, YAMLError

from data_preprocessing.errors import Rejected
from data_preprocessing.layout import PARAMS


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused, so that a typo is found."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Raw(Section):
    """Where the raw table comes from and how its text reads."""

    file: str | None = None
    query: str | None = None
    url_env: str | None = None
    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    null_values: list[str] = [""]

    @field_validator("encoding")
    @classmethod
    def know_encoding(cls, value: str) -> str:
        try:
            codecs.lookup(value)
        except LookupError:
            raise ValueError(f"Python knows no encoding {value!r}") from None
        return value

    @model_validator(mode="after")
    def name_one_source(self) -> "Raw":
        if bool(self.file) == bool(self.query):
            raise ValueError("give either file or query")
        if self.query and not self.url_env:
            raise ValueError("query needs url_env, the name of the variable with the database's URL")
        if self.file and (self.file.startswith("/") or ".." in self.file.split("/")):
            raise ValueError("file is a path below $DATA_URL, without '..'")
        return self


class Dataset(Section):
    """The name of the data set and the column to predict."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    target: str


class Column(Section):
    """What values a column may hold."""

    kind: Literal["numeric", "categorical", "text"]
    dtype: Literal["float", "integer", "string"] | None = None
    min: float | None = None
    max: float | None = None
    allowed: list[str] | list[int] | None = None
    nulls: Literal["refuse", "drop", "keep"] = "refuse"
    unique: bool = False

    @model_validator(mode="after")
    def fit_kind(self) -> "Column":
        fitting = {"numeric": ("float", "integer"), "categorical": ("string", "integer"), "text": ("string",)}
        if self.stored not in fitting[self.kind]:
            raise ValueError(f"a {self.kind} column has dtype {' or '.join(fitting[self.kind])}")
        if self.kind != "numeric" and (self.min is not None or self.max is not None):
            raise ValueError("min and max are for numeric columns")
        if self.kind != "categorical" and self.allowed is not None:
            raise ValueError("allowed is for categorical columns")
        self._fit_limits()
        return self

    def _fit_limits(self) -> None:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        stored = int if self.stored == "integer" else str
        if self.allowed is not None and not all(isinstance(value, stored) for value in self.allowed):
            raise ValueError(
                f"allowed values must be {self.stored}s, as dtype says (quote them or set dtype)"
            )

    @property
    def stored(self) -> str:
        """The dtype asked for, or the usual one of the kind."""
        return self.dtype or ("float" if self.kind == "numeric" else "string")


class Rules(Section):
    """What the table as a whole must keep; shares are fractions of 1."""

    unexpected_columns: Literal["refuse", "drop"] = "refuse"
    min_rows: int = Field(1, ge=1)
    max_duplicate_share: float = Field(1.0, ge=0, le=1)
    min_class_rows: int = Field(1, ge=1)
    min_class_share: float = Field(0.0, ge=0, le=1)


class Cleaning(Section):
    """What cleaning does beside trimming cells and dropping rows by `nulls: drop`."""

    duplicates: Literal["drop", "keep"] = "drop"


class Split(Section):
    """The share of rows for testing, and the salt of the hash that chooses them."""

    test_share: float = Field(gt=0, lt=1)
    seed: int


class Params(Section):
    """All of params.yaml."""

    raw: Raw
    dataset: Dataset
    columns: dict[str, Column] = Field(min_length=2)
    rules: Rules = Rules()
    cleaning: Cleaning = Cleaning()
    split: Split

    @model_validator(mode="after")
    def know_target(self) -> "Params":
        target = self.columns.get(self.dataset.target)
        if target is None:
            raise ValueError(f"dataset.target {self.dataset.target!r} is not among the columns")
        if target.kind != "categorical" or target.nulls == "keep":
            raise ValueError(f"the target {self.dataset.target!r} must be categorical and cannot keep nulls")
        return self

    @property
    def features(self) -> list[str]:
        """The columns a model may learn from, in the order of params.yaml."""
        return [name for name in self.columns if name != self.dataset.target]


def load_params(path: Path = PARAMS) -> Params:
    """Return the parameters; raise Rejected naming every wrong entry.

    Read as YAML 1.2, as DVC does: a category `no` stays a word.
    """
    try:
        return Params.model_validate(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise Rejected(f"There is no {path}: run this in the project's folder.") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise Rejected(f"{path} is not YAML{f' (line {mark.line + 1})' if mark else ''}.") from None
    except ValidationError as error:
        raise Rejected(f"{path} is wrong: {_list_problems(error)}.") from None


def flatten(content: dict, prefix: str = "") -> dict[str, str]:
    """Return nested parameters as dotted names and their values as text, without unset ones."""
    flat: dict[str, str] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat |= flatten(value, f"{name}.")
        elif value is not None:
            flat[name] = str(value)
    return flat


def _list_problems(error: ValidationError) -> str:
    places = [(".".join(str(part) for part in item["loc"]), item["msg"]) for item in error.errors()]
    return "; ".join(f"{place}: {message}" if place else message for place, message in places)
