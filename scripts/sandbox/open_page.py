"""`sandbox open`: the page of a service in the browser."""

import webbrowser

from sandbox import console
from sandbox.context import Context
from sandbox.drivers.base import Service
from sandbox.errors import ServiceError

FIRST = ("gitea", "ci")  # where a loop begins; the first that is here


def find_page(context: Context, name: str) -> Service:
    """The service of that name, or the one where a loop begins. Raises ServiceError that names the pages."""
    pages = {service.name: service for service in context.driver.services() if service.url.startswith("http")}
    chosen = name or next((first for first in FIRST if first in pages), "")
    if chosen not in pages:
        missing = f"There is no page of {chosen!r}." if chosen else "There is no page of code or builds here."
        raise ServiceError(missing, f"Pages: {', '.join(pages) or 'none; run make up'}")
    return pages[chosen]


def open_page(page: Service) -> None:
    """In a browser; where there is none, print the address. Raises ServiceError where the service is down."""
    if not page.running:
        raise ServiceError(f"{page.name} does not run.", "Run: make up")
    if _browse(page.url):
        console.done(f"opened {page.url}")
    else:
        console.note("no browser can be opened here; the address is:")
        console.say(page.url)
    if page.user:
        console.note(f"login: {page.user}; the password: make credentials")


def _browse(url: str) -> bool:
    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False
