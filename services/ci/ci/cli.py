"""The `ci` command: the only place that prints and exits. Commands import late, the hook has to be quick."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ci.errors import CiError, UsageError


def main(argv: list[str] | None = None) -> int:
    """Run a command: 0 fine, 1 an expected failure with its sentence, 2 wrong usage."""
    arguments = read_arguments(argv)
    try:
        return arguments.command(arguments)
    except UsageError as error:
        print_error(f"ci: {error}")
        return 2
    except CiError as error:
        print_error(f"ci: {error}")
        return 1
    except OSError as error:
        print_error(f"ci: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def read_arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command and its words. argparse ends a list of words at an option: here it goes on after it."""
    parser = make_parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest and ("pairs" not in arguments or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        arguments.pairs += rest
    return arguments


def make_parser() -> argparse.ArgumentParser:
    """Commands and their options."""
    parser = argparse.ArgumentParser(prog="ci", description="The CI server and the commands of its builds.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("serve", help="run the CI server").set_defaults(command=serve)
    hook_parser = commands.add_parser("hook", help="tell CI of a push (from post-receive)")
    hook_parser.add_argument(
        "--env", required=True, type=Path, metavar="FILE", help="settings, a dotenv file"
    )
    hook_parser.set_defaults(command=hook)
    commands.add_parser("image", help="build the image of HEAD").set_defaults(command=image)
    run_parser = commands.add_parser("run", help="run a command in the image")
    run_parser.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- ARGV…", help="the command")
    run_parser.set_defaults(command=run)
    commands.add_parser("deliver", help="hand the commit to Airflow").set_defaults(command=deliver)
    commands.add_parser("catch-up", help="send missed pushes to CI").set_defaults(command=catch_up)
    start_parser = commands.add_parser("start", help="start a run of a DAG")
    start_parser.add_argument("dag", metavar="DAG")
    start_parser.add_argument("pairs", nargs="*", metavar="key=value", help="its conf, but for empty values")
    start_parser.add_argument(
        "--wait", action="store_true", help="until it has ended; 1 where it did not pass"
    )
    start_parser.set_defaults(command=start)
    return parser


def serve(arguments: argparse.Namespace) -> int:  # noqa: ARG001
    """`ci serve`"""
    from ci import server

    server.serve()
    return 0


def hook(arguments: argparse.Namespace) -> int:
    """`ci hook`"""
    from ci.hook import report_pushes, repository_folder
    from ci.settings import HookSettings

    sys.stdin.reconfigure(errors="surrogateescape")
    settings = HookSettings.from_file(arguments.env)
    for line in report_pushes(settings, repository_folder(), sys.stdin):
        say(f"ci: {line}")
    return 0


def image(arguments: argparse.Namespace) -> int:  # noqa: ARG001
    """`ci image`"""
    from ci import images
    from ci.git import git
    from ci.settings import ImageSettings

    settings = ImageSettings.from_env()
    if git(".", "status", "--porcelain", "--untracked-files=no").strip():
        say("ci: note: changes that are not committed are not in the image")
    ref = images.open_store(settings, say).build(Path.cwd(), settings.repository)
    images.write_ref(ref)
    say(ref)
    return 0


def run(arguments: argparse.Namespace) -> int:
    """`ci run -- ARGV…`"""
    from ci import images
    from ci.settings import ImageSettings

    argv = arguments.argv[1:] if arguments.argv[:1] == ["--"] else arguments.argv
    if not argv:
        print_error("ci run: name the command to run, as in `ci run -- python -m package`.")
        return 2
    images.open_store(ImageSettings.from_env(), say).run(images.read_ref(), argv)


def deliver(arguments: argparse.Namespace) -> int:  # noqa: ARG001
    """`ci deliver`"""
    from ci.command_settings import DeliverSettings
    from ci.deliver import deliver as hand_over

    hand_over(DeliverSettings.from_env(), Path.cwd(), say)
    return 0


def catch_up(arguments: argparse.Namespace) -> int:  # noqa: ARG001
    """`ci catch-up`"""
    from ci.catch_up import catch_up as send_missed
    from ci.command_settings import CatchUpSettings

    send_missed(CatchUpSettings.from_env(), say)
    return 0


def start(arguments: argparse.Namespace) -> int:
    """`ci start DAG [key=value…]`"""
    from ci import start as starting
    from ci.command_settings import AirflowSettings

    conf = starting.read_conf(arguments.pairs)
    starting.start(AirflowSettings.from_env(), arguments.dag, conf, arguments.wait, say)
    return 0


def say(text: str) -> None:
    """A line for whoever called."""
    print(text, flush=True)  # noqa: T201


def print_error(text: str) -> None:
    """A line about a failure."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
