"""Checks of what everything stands on: .env, the driver, the services of this layer."""

from sandbox.doctor.check import Broken, Case

LAYER = ("registry", "engine", "gitea", "jenkins-agent", "jenkins", "ci")  # what Git → CI is made of


def settings(case: Case) -> str:
    """.env can be used."""
    return f"the driver is {case.context.driver.name}"


def driver(case: Case) -> str:
    """What runs the services answers. Its probe asks for more: whether it could be installed here."""
    return f"{case.context.driver.name} answers for {len(case.services)} services"


def services(case: Case) -> str:
    """Each service of the layer is healthy; the hint names the first that is not."""
    layer = [case.services[name] for name in LAYER if name in case.services]
    ill = [service for service in layer if not service.healthy]
    if ill:
        running = [service for service in ill if service.running]
        hint = f"Run: make logs SERVICE={running[0].name}" if running else "Run: make up"
        raise Broken("; ".join(f"{service.name}: {service.detail}" for service in ill), hint)
    return f"{', '.join(service.name for service in layer)} healthy"
