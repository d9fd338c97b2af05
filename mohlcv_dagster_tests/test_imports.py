"""Importing a module of the package changes nothing in the process, and its docstring names what there is."""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import mohlcv_dagster

PACKAGE = Path(mohlcv_dagster.__file__).parent

EACH_MODULE = """
import ast, atexit, contextlib, gc, importlib, os, signal, sys, threading, warnings
import multiprocessing, multiprocessing.popen_fork, multiprocessing.popen_forkserver, multiprocessing.popen_spawn_posix
import multiprocessing.spawn, multiprocessing.util
from pathlib import Path

at_fork = []
os.register_at_fork = lambda _register=os.register_at_fork, **hooks: (at_fork.append(hooks), _register(**hooks))[1]

def third_party(package):
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

package = Path(sys.argv[1])
for name in sorted({each for each in third_party(package) if not each.startswith("mohlcv_dagster")}):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
import pyarrow

def state():
    tools = [vars(sys.modules[name]) for name in before_modules]
    return {
        "garbage collector": (gc.get_threshold(), gc.get_freeze_count(), gc.isenabled(), len(gc.callbacks)),
        "allocator": pyarrow.default_memory_pool().backend_name,
        "environment": dict(os.environ),
        "start method": multiprocessing.get_start_method(allow_none=True),
        "multiprocessing": [{key: id(value) for key, value in each.items()} for each in tools],
        "processes": {key: id(value) for key, value in vars(multiprocessing.process.BaseProcess).items()},
        "hooks": (len(at_fork), len(multiprocessing.util._afterfork_registry), atexit._ncallbacks()),
        "warnings": list(warnings.filters),
        "signals": {each: signal.getsignal(each) for each in signal.valid_signals()},
        "threads": threading.enumerate(),
    }

before_modules = sorted(name for name in sys.modules if name.split(".")[0] == "multiprocessing")
for path in sorted(package.rglob("*.py")):
    name = ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
    before = state()
    importlib.import_module(name)
    after = state()
    for what, was in before.items():
        if after[what] != was:
            print(f"{name} changes the {what}")
"""


def side_effects(package):
    """What importing each module of a package changes, a line each."""
    words = [sys.executable, "-c", EACH_MODULE, str(package)]
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_no_module_changes_the_process_that_imports_it():
    assert side_effects(PACKAGE) == []


CHANGES = {
    "garbage collector": "import gc; gc.set_threshold(50_000)",
    "allocator": "import pyarrow as pa; pa.set_memory_pool(pa.system_memory_pool())",
    "environment": "import os; os.environ['MALLOC_ARENA_MAX'] = '2'",
    "start method": "import multiprocessing; multiprocessing.set_start_method('spawn')",
    "multiprocessing": "import multiprocessing.popen_fork as fork; fork.Popen = None",
    "processes": "from multiprocessing.process import BaseProcess; BaseProcess.start = None",
    "hooks": "import os; os.register_at_fork(after_in_child=print)",
    "warnings": "import warnings; warnings.simplefilter('ignore')",
    "signals": "import signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN)",
    "threads": "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
}


def test_each_change_would_be_found(tmp_path):
    package = tmp_path / "planted"
    package.mkdir()
    for what, code in CHANGES.items():
        (package / f"{what.replace(' ', '_')}.py").write_text(code)

    assert sorted(side_effects(package)) == [
        f"planted.{what.replace(' ', '_')} changes the {what}" for what in sorted(CHANGES)
    ]


REFERENCE = re.compile(r"(?<![`\w])`([a-z_]\w+(?:\.[a-z_]\w*)*)`(?!`)")
"""One name in backticks, as `name` or `package.name`; a letter alone is a value of a formula."""
WORD = re.compile(r"[A-Za-z_]\w*")
FILES = {"yaml", "toml", "md"}
FOREIGN = {
    "mohlcv": "our command",
    "multi_asset": "a decorator of Dagster's",
    "highfrequency": "a package of R",
    "scalar": "what a value of pyarrow is called",
    "pool_pre_ping": "an option of SQLAlchemy",
    "retry_policy": "an option of Dagster's assets",
    "get_checkpointed_asset_check_state": "a method of Dagster's",
}
"""Names of others that no code of ours mentions."""


@cache
def modules():
    """The parsed modules of the package, by name."""
    paths = {path: path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py")}
    names = {path: ".".join(each.parts).removesuffix(".__init__") for path, each in paths.items()}
    return {name: ast.parse(path.read_text(encoding="utf-8")) for path, name in names.items()}


def vocabulary(tree):
    """Every identifier of a module, and every word of its texts other than docstrings."""
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            yield from WORD.findall(str(getattr(node, field, "")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and id(node) not in notes:
            yield from WORD.findall(node.value if isinstance(node.value, str) else node.value.decode("latin-1"))


@cache
def fixed_names():
    """Functions, classes and whole texts of any module: rules, checks, assets, sensors are named so."""
    nodes = [node for tree in modules().values() for node in ast.walk(tree)]
    named = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return named | {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def modules_called(reference):
    """The modules whose name is this, or ends so."""
    return [name for name in modules() if f".{name}".endswith(f".{reference}")]


def is_there(reference, words):
    """Whether a name in a docstring is that of a module, or one that the code knows, or not ours."""
    parent, _, last = reference.rpartition(".")
    if last in FILES or reference in FOREIGN or modules_called(reference):
        return True
    if parent and modules_called(parent):
        return any(last in vocabulary(modules()[name]) for name in modules_called(parent))
    return reference in fixed_names() or {*parent.split("."), last} - {""} <= words


@pytest.mark.parametrize("module", modules())
def test_what_a_docstring_of_a_module_names_is_there(module):
    tree = modules()[module]
    words = set(vocabulary(tree))
    references = REFERENCE.findall(ast.get_docstring(tree) or "")

    assert [each for each in references if not is_there(each, words)] == []


def test_a_name_of_a_module_that_moved_would_be_found():
    words = {"read", "Archive"}

    assert [is_there(each, words) for each in ("sandbox", "settings.API_KEY", "read", "dagster.yaml")] == [True] * 4
    assert [is_there(each, words) for each in ("settings.NO_KEY", "sandbox.desk", "desk")] == [False] * 3
