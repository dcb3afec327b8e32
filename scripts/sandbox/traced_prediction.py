"""From the id of a request to what was predicted, and to the loop of the version that predicted it."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from rich.table import Table

from sandbox import console
from sandbox.context import Context
from sandbox.errors import LoopError, ServiceError, UnknownReference
from sandbox.receipt import Receipt, read_receipt
from sandbox.reference import find_loop
from sandbox.trace import exit_code, show_receipt

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")  # what the prediction API takes for one
SHADOW = "shadow"  # the role of an answer that the client did not get
SHOWN_ROWS = 20
SHOWN_LETTERS = 200  # of a cell


@dataclass(frozen=True)
class TracedPrediction:
    """What the prediction log holds of a request, and the receipt of the version that answered.

    Without a receipt where the run of that version is not kept any more.
    """

    ref: str
    prediction: dict[str, Any]
    receipt: Receipt | None

    def as_json(self) -> dict[str, Any]:
        """The document of `sandbox trace -o json`: a receipt with the prediction."""
        receipt = self.receipt.as_json() if self.receipt else {}
        return receipt | {"ref": self.ref, "prediction": self.prediction}

    @property
    def answer(self) -> dict[str, Any]:
        """The newest answer that the client got."""
        answers: list[dict[str, Any]] = self.prediction["answers"]
        return next((found for found in reversed(answers) if found["role"] != SHADOW), answers[-1])

    @property
    def exit_code(self) -> int:
        """As of the receipt."""
        return exit_code(self.receipt) if self.receipt else 0


def trace_prediction(context: Context, unknown: UnknownReference) -> TracedPrediction:
    """The request that a REF names which names no loop. Raises `unknown` where it names none either."""
    ref = unknown.ref
    logged = _logged(context, ref)
    if not logged:
        raise unknown
    found = TracedPrediction(ref, logged, None)
    return TracedPrediction(ref, logged, _receipt(context, found.answer))


def show_prediction(traced: TracedPrediction) -> None:
    """The rows with what was predicted, then the receipt."""
    answer = traced.answer
    version = f"{answer['model']} version {answer['version']}"
    console.say(f"{traced.ref}: answered by {version} at {answer['at']} in {answer['ms']:.1f} ms")
    console.show(_rows_table(answer["rows"]))
    if len(answer["rows"]) > SHOWN_ROWS:
        console.say(f"{len(answer['rows']) - SHOWN_ROWS} more rows: sandbox trace {traced.ref} -o json")
    if traced.receipt:
        show_receipt(traced.receipt)
    else:
        console.say(f"The run that made {version} is not kept any more (KEEP_RUN_DAYS).")


def _logged(context: Context, ref: str) -> dict[str, Any] | None:
    """What the log holds; None too where the API is down: then the REF is unknown as before."""
    if not REQUEST_ID.fullmatch(ref):
        return None
    try:
        return context.prediction_api.logged(ref)
    except ServiceError:
        return None


def _receipt(context: Context, answer: dict[str, Any]) -> Receipt | None:
    version = context.mlflow.version(unquote(answer["model"]), answer["version"])
    run_id = version["tags"].get("loop_run_id") if version else None
    try:
        return read_receipt(context, find_loop(context, run_id)) if run_id else None
    except LoopError:
        return None


def _plain(text: str) -> str:
    """A client's text as a terminal may show it: nothing that steers it, and not all of a long one."""
    shown = "".join(letter if letter.isprintable() else "�" for letter in text[:SHOWN_LETTERS])
    return shown + ("…" if len(text) > SHOWN_LETTERS else "")


def _rows_table(rows: list[dict[str, Any]]) -> Table:
    shown = [
        [
            str(row["row"]),
            _plain(", ".join(f"{name}={value}" for name, value in row["inputs"].items())),
            _plain(str(row["prediction"])),
            "" if row["confidence"] is None else f"{row['confidence']:.3f}",
            _plain(str(row.get("label", ""))),
        ]
        for row in rows[:SHOWN_ROWS]
    ]
    return console.table(["Row", "Inputs", "Prediction", "Confidence", "Truth"], shown)
