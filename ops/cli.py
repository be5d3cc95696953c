"""The `weir` command: puts the sub-commands together and turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, Final

import typer
from rich.console import Console
from typer.core import TyperGroup
from typer.main import get_command

from ops.exits import INTERRUPTED, MISSING, MISUSED

#: Name -> (module, attribute, one line of help). Loaded when named: `weir --help` imports neither torch nor faust.
_COMMANDS: Final[dict[str, tuple[str, str, str]]] = {
    "demo": ("ops.commands.demo", "demo", "Watch the bundled sample events being judged, start to finish."),
    "up": ("ops.commands.stack", "up", "Start the local stack in the background."),
    "down": ("ops.commands.stack", "down", "Stop the local stack."),
    "status": ("ops.commands.stack", "status", "Say what of the local stack runs, and where."),
    "worker": ("ops.commands.worker", "worker", "Judge the events of content.incoming."),
    "publish": ("ops.commands.publish", "publish", "Publish events to content.incoming."),
    "tail": ("ops.commands.tail", "tail", "Follow a topic."),
    "judge": ("ops.commands.judge", "judge", "Judge a file of events without Kafka."),
    "policy": ("ops.commands.policy", "app", "Check and test policies."),
    "bank": ("ops.commands.bank", "app", "Import and look after hashes of known pictures."),
    "model": ("ops.commands.model", "app", "Fetch, assemble, train and evaluate the served ensemble."),
    "data": ("ops.commands.data", "app", "Build, count and check what models are trained on."),
    "kafka": ("ops.commands.kafka", "app", "Run Kafka on this machine."),
    "triton": ("ops.commands.triton", "app", "Run Triton on this machine."),
    "bench": ("ops.commands.bench", "app", "Measure, and print a ratio."),
    "config": ("ops.commands.config", "config", "List every setting, its value and where it came from."),
    "asyncapi": ("ops.commands.config", "asyncapi", "Print the AsyncAPI document of the topics."),
    "version": ("ops.commands.config", "version", "Print the version."),
}


class LazyGroup(TyperGroup):
    """A group whose sub-commands are imported when they are named. Typer carries its own click, hence the Anys."""

    def list_commands(self, _ctx: Any) -> list[str]:
        """The names, in the order in which a newcomer meets them."""
        return list(_COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """The sub-command; None for a name that is none."""
        if cmd_name not in _COMMANDS:
            return None
        module_name, attribute, help_line = _COMMANDS[cmd_name]
        if _listing(cmd_name):
            stub = _single(lambda: None, help_line)
            stub.name = cmd_name
            return stub
        module = importlib.import_module(module_name)
        made = getattr(module, attribute)
        if isinstance(made, typer.Typer):
            command = get_command(made)
        else:
            command = _single(made, epilog=getattr(module, "EPILOG", None))
        command.name = cmd_name
        return command


def _single(function: Callable[..., None], help_line: str | None = None, *, epilog: str | None = None) -> Any:
    single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    single.command(help=help_line, epilog=epilog)(function)
    return get_command(single)


def _listing(name: str) -> bool:
    """Whether only the list of commands is wanted, for which one line of help is enough."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    return name not in words


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, rich_markup_mode="markdown")


@app.callback()
def _weir() -> None:
    """Weir judges content as it streams: Kafka in, an ensemble and YAML policies inside, verdicts out.

    Start with `weir demo`. Exit codes: 0 fine, 1 the answer is no, 2 used wrongly, 3 a dependency is missing or down.
    """


def main() -> None:
    """Run the command line."""
    from ops.local.errors import LocalStackError
    from ops.targets import SettingsError

    try:
        app()
    except LocalStackError as exc:
        _complain(str(exc))
        sys.exit(MISSING)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except SettingsError as exc:
        _complain(str(exc))
        sys.exit(MISUSED)
    except ModuleNotFoundError as exc:
        extra = _EXTRA_OF.get((exc.name or "").split(".")[0])
        if extra is None:
            raise
        _complain(f"this command needs `{exc.name}`, which is not installed\n  hint: pip install 'weir[{extra}]'")
        sys.exit(MISSING)


#: Top-level module -> the extra that brings it.
_EXTRA_OF: Final[dict[str, str]] = {
    "aiokafka": "worker",
    "confluent_kafka": "local",
    "faust": "worker",
    "numpy": "worker",
    "onnxruntime": "serve",
    "open_clip": "train",
    "PIL": "worker",
    "psutil": "local",
    "pyarrow": "record",
    "pydantic_settings": "worker",
    "sklearn": "train",
    "tokenizers": "serve",
    "torch": "train",
    "tritonclient": "worker",
}


def _complain(text: str) -> None:
    Console(stderr=True).print(f"weir: {text}", markup=False, highlight=False, style="red", soft_wrap=True)


if __name__ == "__main__":
    main()
