"""What no linter checks: bare tasks, unbounded queues and wall clocks in the product."""

import ast
from pathlib import Path

import pytest

import realtime_avatar

SOURCE = Path(realtime_avatar.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))

BANNED = {
    "asyncio.create_task": "a task group owns every task",
    "asyncio.ensure_future": "a task group owns every task",
    "loop.create_task": "a task group owns every task",
    "time.time": "the clock is injected",
    "time.time_ns": "the clock is injected",
    "datetime.now": "the clock is injected",
    "datetime.utcnow": "the clock is injected",
    "datetime.datetime.now": "the clock is injected",
    "asyncio.Queue": "queues are bounded anyio streams",
    "queue.Queue": "queues are bounded anyio streams",
    "queue.SimpleQueue": "queues are bounded anyio streams",
    "math.inf": "queues are bounded",
}
STOPWATCH = {"time.perf_counter", "time.monotonic", "time.sleep"}


def faults(tree: ast.AST, *, bench: bool = False) -> list[str]:
    found: list[str] = []
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in node.names:
                imported[name.asname or name.name] = f"{node.module}.{name.name}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        name = imported.get(name, name)
        if name in BANNED:
            found.append(f"line {node.lineno}: {name}: {BANNED[name]}")
        elif name in STOPWATCH and not bench:
            found.append(f"line {node.lineno}: {name}: only a benchmark has a stopwatch")
        elif name.endswith("create_memory_object_stream") or "create_memory_object_stream[" in name:
            bound = ast.unparse(node.args[0]) if node.args else "0"
            if "inf" in bound:
                found.append(f"line {node.lineno}: an unbounded queue")
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_product_has_no_bare_tasks_unbounded_queues_or_wall_clocks(module: Path):
    bench = "bench" in module.relative_to(SOURCE).parts
    assert faults(ast.parse(module.read_text("utf-8")), bench=bench) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_modules_can_be_read_in_one_sitting(module: Path):
    assert len(module.read_text("utf-8").splitlines()) <= 450


@pytest.mark.parametrize(
    "code",
    [
        "import asyncio\nasyncio.create_task(f())",
        "from asyncio import create_task\ncreate_task(f())",
        "import time\ntime.time()",
        "from time import time\ntime()",
        "import time\ntime.sleep(1)",
        "from datetime import datetime\ndatetime.now()",
        "import queue\nqueue.Queue()",
        "create_memory_object_stream[int](math.inf)",
        "create_memory_object_stream(float('inf'))",
    ],
)
def test_each_fault_is_found(code: str):
    assert faults(ast.parse(code))
