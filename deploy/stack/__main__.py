"""The part of deploy/up and deploy/down that needs Python. Options are explained by their --help."""
from __future__ import annotations

import argparse
import os
import sys

from . import services
from .console import complain
from .down import down
from .errors import StackError
from .folders import Folders
from .stack import Options
from .supervisor import is_running
from .up import plan, up


def main() -> int:
    arguments = _parser().parse_args()
    folders = Folders.of_clone()
    only = tuple(name for name in arguments.only.split(",") if name)
    if arguments.only and not only:  # nothing named must not become everything
        complain(f"--only {arguments.only}: names no part")
        return 2
    options = Options(only, arguments.broker, arguments.postgres, arguments.port_base)
    try:
        if arguments.command == "programs":
            print("\n".join(services.programs()))
        elif arguments.command == "is-running":
            return 0 if is_running(folders) else 1
        elif arguments.command == "plan":
            plan(folders, options)
        elif arguments.command == "down":
            return down(folders, only, arguments.fresh)
        else:
            if arguments.fresh:
                down(folders, (), is_fresh=True)
            return up(folders, options, not arguments.no_demo, arguments.planned)
        return 0
    except StackError as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stack")
    parser.add_argument("command", choices=["programs", "is-running", "plan", "up", "down"])
    parser.add_argument("--only", default="")
    parser.add_argument("--broker")
    parser.add_argument("--postgres")
    parser.add_argument("--port-base", type=int)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--no-demo", action="store_true")
    parser.add_argument("--planned", action="store_true", help="`plan` has just been run")
    return parser


if __name__ == "__main__":
    sys.exit(main())
