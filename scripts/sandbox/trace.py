"""Show the receipt of a loop, once or live until it ends."""

from rich.live import Live
from rich.table import Table

from sandbox import console
from sandbox.context import Context
from sandbox.errors import LoopError, ServiceError
from sandbox.receipt import Receipt, read_receipt
from sandbox.reference import find_loop
from sandbox.wait import Deadline, patiently, pause

EXIT_CODES = {"passed": 0, "skipped": 0, "failed": 1, "rejected": 1, "waiting": 3}
INVALID = "Validation:"  # how data_preprocessing begins what it says of raw data that break a rule
LOOK_EVERY = 1.0  # seconds


def trace(context: Context, ref: str) -> Receipt:
    """The receipt as of now. Raises LoopError where `ref` names nothing."""
    return read_receipt(context, find_loop(context, ref))


def follow(context: Context, ref: str, seconds: float) -> Receipt:
    """The receipt once the loop has ended, shown live until then. Raises LoopError after `seconds`."""
    deadline = Deadline(seconds)
    receipt = _patiently(context, ref)
    fixed = ref or receipt.run_id  # the newest as of now, also when a newer one comes
    said: set[str] = set()
    with console.live() as view:
        while not receipt.final:
            _show_progress(view, receipt, said)
            if deadline.passed():
                raise LoopError(
                    f"{fixed} is still {receipt.state} after {seconds:.0f} s.", f"Run: make trace REF={fixed}"
                )
            pause(LOOK_EVERY)
            receipt = _patiently(context, fixed)
        _show_progress(view, receipt, said)
    return receipt


def _patiently(context: Context, ref: str) -> Receipt:
    """The receipt, also where a service is just starting again. Raises LoopError where none runs."""
    return patiently(lambda: _trace_while_up(context, ref), ServiceError)


def _trace_while_up(context: Context, ref: str) -> Receipt:
    try:
        return trace(context, ref)
    except ServiceError as error:
        if any(service.running for service in context.driver.services()):
            raise
        again = f"make up, then: make trace REF={ref}" if ref else "make up, then: make trace"
        raise LoopError(
            "The sandbox is stopped; its loops go on where they were.", f"Run: {again}"
        ) from error


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
    return console.table(["Stage", "State", "Started (UTC)", "Seconds", "Detail"], rows)


def show_receipt(receipt: Receipt) -> None:
    """The receipt with its heading and links."""
    length = f" in {receipt.seconds:.0f} s" if receipt.seconds is not None else ""
    console.say(f"{receipt.run_id or receipt.git_sha or receipt.ref}: {receipt.state}{length}")
    console.show(receipt_table(receipt))
    for stage in receipt.stages:
        if stage.url and stage.state in ("failed", "rejected", "running", "waiting"):
            console.say(f"{stage.name}: {stage.url}")
    if any(stage.name == "data" and stage.detail.startswith(INVALID) for stage in receipt.stages):
        console.say("Every loop reads these raw data. Mend them, then: make data-push FILE=<the mended file>")
    if receipt.state == "waiting" and not any("MODEL_PIN" in stage.detail for stage in receipt.stages):
        console.say(f"Serve it: make promote VERSION={registered_version(receipt)}")


def registered_version(receipt: Receipt) -> str:
    """As `iris/3`, of what `register` says: `iris version 3`; the served model may be another one."""
    said = next((stage.detail for stage in receipt.stages if stage.name == "register"), "")
    return "/".join(said.split(" version ")[-2:])


def _show_progress(view: Live, receipt: Receipt, said: set[str]) -> None:
    if view.console.is_terminal:
        view.update(receipt_table(receipt))
        return
    for stage in receipt.stages:
        line = f"{stage.name} {stage.state}" + (f": {stage.detail}" if stage.detail else "")
        if stage.state not in ("pending", "skipped") and line not in said:
            said.add(line)
            console.news(line)
