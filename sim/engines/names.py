"""The engines that can be asked for; kept apart so that the command line can list them without loading numpy."""

from typing import Literal, get_args

Engine = Literal["auto", "simpy", "compiled"]
ENGINES: tuple[str, ...] = get_args(Engine)
