"""Show the receipt of a loop, once or live until it ends."""

from collections.abc import Callable

from rich.table import Table

from sandbox import console
from sandbox.context import Context
from sandbox.errors import LoopError
from sandbox.receipt import Receipt, read_receipt
from sandbox.reference import find_loop
from sandbox.wait import pause

EXIT_CODES = {"passed": 0, "skipped": 0, "failed": 1, "rejected": 1, "waiting": 3}
LOOK_EVERY = 1.0  # seconds


def trace(context: Context, ref: str) -> Receipt:
    """The receipt as of now. Raises LoopError where `ref` names nothing."""
    return read_receipt(context, find_loop(context, ref))


def follow(context: Context, ref: str, seconds: float) -> Receipt:
    """The receipt once the loop has ended, shown live until then. Raises LoopError after `seconds`."""
    receipt = trace(context, ref)
    named = receipt.run_id or receipt.git_sha
    said: set[str] = set()
    with console.live() as view:
        for _ in range(int(seconds / LOOK_EVERY)):
            view.update(receipt_table(receipt))
            _say_news(receipt, said, view.console.print if not view.console.is_terminal else None)
            if receipt.final:
                return receipt
            pause(LOOK_EVERY)
            receipt = trace(context, ref or receipt.git_sha or named)
    raise LoopError(
        f"{named} is still {receipt.state} after {seconds:.0f} s.", f"Run: make trace REF={named}"
    )


def exit_code(receipt: Receipt) -> int:
    """0 passed, 1 failed or rejected, 3 waiting; 0 while it runs."""
    return EXIT_CODES.get(receipt.state, 0)


def receipt_table(receipt: Receipt) -> Table:
    """The stages as people read them."""
    rows = [
        [
            stage.name,
            stage.state,
            stage.started[11:19],
            "" if stage.seconds is None else f"{stage.seconds:.1f}",
            stage.detail,
        ]
        for stage in receipt.stages
    ]
    return console.table(["Stage", "State", "Started", "Seconds", "Detail"], rows)


def show_receipt(receipt: Receipt) -> None:
    """The receipt with its heading and links."""
    length = f" in {receipt.seconds:.0f} s" if receipt.seconds is not None else ""
    console.say(f"{receipt.run_id or receipt.git_sha}: {receipt.state}{length}")
    console.show(receipt_table(receipt))
    for stage in receipt.stages:
        if stage.url and stage.state in ("failed", "rejected", "running", "waiting"):
            console.say(f"{stage.name}: {stage.url}")


def _say_news(receipt: Receipt, said: set[str], say: Callable[[str], None] | None) -> None:
    for stage in receipt.stages:
        news = f"{stage.name} {stage.state}"
        if say and stage.state != "pending" and news not in said:
            said.add(news)
            say(f"  {news}" + (f": {stage.detail}" if stage.detail else ""))
