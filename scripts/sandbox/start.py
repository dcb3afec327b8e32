"""`sandbox up`: settings, driver, pre-flight, services, bootstrap, first loop."""

from sandbox import console, trace
from sandbox.context import Context
from sandbox.drivers import choose_driver, load_driver
from sandbox.errors import LoopError, ServiceError
from sandbox.git import remote_head
from sandbox.locking import only_one
from sandbox.preflight import check_tools, move_taken_ports
from sandbox.receipt import Receipt
from sandbox.settings import CODE, ROOT, create_env_file, load_settings
from sandbox.status import describe, show_status
from sandbox.steps import STEPS
from sandbox.wait import stopwatch, wait_until

HEALTH_SECONDS = 180.0
FIRST_LOOP_SECONDS = 900.0


def bring_up() -> Context:
    """A running sandbox that serves a model. Raises SandboxError with the next step."""
    with only_one("up"):
        return _bring_up(prepare())


def _bring_up(context: Context) -> Context:
    console.step(f"starting services ({context.driver.name} driver)")
    changed, seconds = False, stopwatch()
    for ready in context.driver.start():
        changed = changed or ready.changed
        bootstrap(context, ready.provides)
    wait_for_health(context)
    healthy = f"all services are healthy ({seconds():.0f} s)"
    console.done(healthy if changed else "all services were running already")
    run_first_loop(context)
    return context


def prepare() -> Context:
    """Everything that is decided before a process starts."""
    added = create_env_file()
    if added:
        console.done(f"wrote .env ({len(added)} settings, secrets generated)")
    settings = load_settings()
    if not settings.driver:
        name, reason = choose_driver(settings)
        console.done(f"driver: {name} ({reason}); DRIVER={name} written to .env")
        settings = load_settings()
    driver = load_driver(settings)
    check_tools(ROOT)
    driver.prepare()
    if move_taken_ports(settings, driver.ports, driver.held_ports()):
        settings = load_settings()
        driver = load_driver(settings)
    return Context(settings, driver)


def bootstrap(context: Context, provided: str) -> None:
    """Run each step that waited for what the driver has just provided."""
    for step in STEPS:
        if step.needs == provided:
            console.done(f"{step.name}: {step.run(context) or 'unchanged'}")


def wait_for_health(context: Context) -> None:
    """Say each service as it becomes healthy. Raises ServiceError that names the one that does not."""
    waiting = {service.name for service in context.driver.services() if not service.healthy}

    def look() -> bool:
        for service in context.driver.services():
            if service.healthy and service.name in waiting:
                console.done(f"{service.name} is healthy")
                waiting.remove(service.name)
            elif service.name in waiting:
                raise ServiceError(f"{service.name}: {service.detail}")
        return True

    wait_until(look, what="all services", seconds=HEALTH_SECONDS, hint="Run: make logs")


def run_first_loop(context: Context) -> None:
    """Wait until the first model is served, where none is yet. Raises LoopError if the loop fails."""
    if context.prediction_api.model():
        return
    commit = remote_head(context.endpoints.clone_url(CODE), "main", ROOT)
    console.step("first loop: push → ci → data → train → gate → register → tag → promote → serve → verify")
    receipt = trace.follow(context, commit, FIRST_LOOP_SECONDS)
    console.show(trace.receipt_table(receipt), console.err)
    if receipt.state == "waiting":
        console.note("PROMOTION=manual: the model is registered and waits")
    elif receipt.state != "passed":
        raise LoopError(
            f"The loop of {commit[:12]} ended {receipt.state}: {_reason(receipt)}",
            "Mend it with a commit, or try the loop again with a harmless one: make demo",
        )


def _reason(receipt: Receipt) -> str:
    reasons = [f"{stage.name}: {stage.detail}" for stage in receipt.stages if stage.state == receipt.state]
    return reasons[0] if reasons else "no reason given"


def show_next(context: Context) -> None:
    """Addresses, logins and the next command."""
    show_status(describe(context))
    console.say()
    console.say("Logins: make credentials      Next: make demo")
