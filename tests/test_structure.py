"""What the modules may import, and that importing them does nothing."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "joblake"

# The house from its grounds up: what stands in a row may import the rows above it, and neither
# those below nor its neighbours.
FLOORS = [
    {"errors", "arrow", "bundled", "outcome", "quoting", "user_files"},
    {"sources"},
    {"endpoint", "aws"},
    {"lake"},
    {"settings", "listing"},
    {"warehouse", "export"},
    {"report", "doctor"},
    {"cli"},
]
# What is more than the order of the floors says: on the left, what may never reach the right.
APART = {
    "warehouse": {"listing", "aws", "export", "endpoint"},
    "report": {"listing", "aws", "export", "endpoint", "settings"},
    "export": {"endpoint"},
    "doctor": {"endpoint"},
    "lake": {"endpoint"},
    "settings": {"endpoint"},
    "listing": {"endpoint"},
}

# The library on the left is imported by the modules on the right alone.
DOORS = {
    "prefect": set(),
    "prefect_dask": set(),
    "duckdb": {"warehouse", "export.merge"},
    "botocore.retries": {"aws"},
    "typer": {"cli"},
    "httpx": {"doctor"},
    "harlequin": {"cli.shell"},
    "harlequin_duckdb": {"cli.shell"},
    "boto3": {"aws"},
    "botocore.model": {"sources.service_model"},
    "botocore.loaders": {"sources.service_model"},
}


def name_of(path: Path) -> str:
    """A module's name inside the package: `lake`, `endpoint.server`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """Everything that a file imports anywhere, for type checkers included, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = {name_of(path): imports_of(path) for path in sorted(PACKAGE.rglob("*.py"))}
FLOWS = {path.stem: imports_of(path) for path in sorted((ROOT / "flows").glob("*.py"))}


def is_under(name: str, library: str) -> bool:
    return name == library or name.startswith(f"{library}.")


def own_imports(module: str) -> set[str]:
    """The modules of the package that a module imports."""
    return {
        other
        for other in MODULES
        if other and any(is_under(name, f"joblake.{other}") for name in MODULES[module])
    }


def folder_of(module: str) -> str:
    """The folder at the top of the package in which a module stands, or the module itself."""
    return module.partition(".")[0]


FOLDERS = sorted({folder_of(module) for module in MODULES if module})


def test_the_package_was_found():
    """The tests below look at real modules."""
    assert {"errors", "sources.catalogue", "export.merge", "cli.commands"} <= MODULES.keys()
    assert folder_of("sources.catalogue") == "sources"
    assert "errors" in own_imports("sources.catalogue")
    assert "prefect.flow" in FLOWS["nightly_export"]


def test_every_folder_has_its_floor():
    """A new folder must be given its floor here."""
    assert set().union(*FLOORS) == set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_run_one_way(folder):
    """From the grounds up to the command line, and never down again."""
    floor = next(number for number, row in enumerate(FLOORS) if folder in row)
    allowed = {folder}.union(*FLOORS[:floor]) - APART.get(folder, set())
    if floor == 0:
        allowed |= {"errors"}
    imported = {
        folder_of(other)
        for module in MODULES
        if module and folder_of(module) == folder
        for other in own_imports(module)
        if other != folder  # the folder's own __init__
    }
    assert imported <= allowed


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_one_door(library):
    """Each library is imported where its concern is, so that a change of it is one change."""
    users = {
        module
        for module, names in MODULES.items()
        if any(is_under(name, library) for name in names)
    }
    assert {user for user in users if not any(is_under(user, d) for d in DOORS[library])} == set()
    assert users or not DOORS[library]


def test_flows_are_thin():
    """Flows plan and export; they know no client, no file and no SQL."""
    thin = {"errors", "outcome", "lake", "settings", "warehouse", "export", "report"}
    for name, names in FLOWS.items():
        own = {name.split(".")[1] for name in names if is_under(name, "joblake")}
        assert own <= thin, name
        assert not {
            other for other in names if is_under(other, "boto3") or is_under(other, "duckdb")
        }


# --- nothing happens at import -----------------------------------------------------------------


def run(program: str, *arguments: str) -> str:
    """The stdout of a Python program of its own."""
    command = [sys.executable, "-B", "-c", program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_command_line_loads_no_heavy_library():
    """`joblake --help` waits for none of the libraries that only some commands need."""
    program = """
import json, sys
import joblake.cli.commands
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    loaded = set(json.loads(run(program)))
    heavy = {"prefect", "pyarrow", "duckdb", "boto3", "botocore", "pandas", "numpy", "uvicorn"}
    assert "typer" in loaded
    assert not heavy & loaded


WATCHED_IMPORT = """
import importlib, json, logging, os, signal, sys, threading, warnings

modules = sys.argv[1:]
for module in modules:                 # once, so that what other libraries do at import is done
    importlib.import_module(module)
for name in [name for name in sys.modules if name.partition(".")[0] == "joblake"]:
    del sys.modules[name]

effects = []
DEEDS = ("socket.", "subprocess.", "os.system", "os.putenv", "os.unsetenv", "os.mkdir",
         "os.remove", "os.rename", "os.chmod", "os.exec", "os.fork", "os.posix_spawn",
         "shutil.", "tempfile.")

def watch(event, arguments):
    if event == "open" and not isinstance(arguments[0], int):
        path, mode, flags = arguments
        is_written = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if is_written or not str(path).endswith((".py", ".pyc")):
            effects.append(f"open {path} {mode}")
    elif event.startswith(DEEDS):
        effects.append(event)

class WatchedEnvironment(type(os.environ)):
    def __getitem__(self, key):
        # Directly or through get(); what pydantic reads to make a class is its own affair.
        direct = sys._getframe(1)
        readers = {direct.f_globals["__name__"], direct.f_back.f_globals["__name__"]}
        if any(reader.partition(".")[0] == "joblake" for reader in readers):
            effects.append(f"environ {key}")
        return super().__getitem__(key)

def state():
    root = logging.getLogger()
    loggers = [name for name in logging.root.manager.loggerDict if name.startswith("joblake")]
    return (dict(os.environ), root.level, root.handlers[:], loggers, threading.active_count(),
            signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), os.getcwd(),
            warnings.filters[:], sys.path[:])

before = state()
sys.addaudithook(watch)
os.environ.__class__ = WatchedEnvironment
for module in modules:
    importlib.import_module(module)
os.environ.__class__ = WatchedEnvironment.__base__
changed = [str(pair) for pair in zip(before, state()) if pair[0] != pair[1]]
print(json.dumps(effects + changed))
"""


def test_importing_does_nothing():
    """No file is opened, no socket, no process; environment, logging and signals stay."""
    modules = [f"joblake.{module}" for module in MODULES if module]
    assert json.loads(run(WATCHED_IMPORT, *modules)) == []


def test_the_watch_sees_effects(tmp_path):
    """A module that does something at import would be noticed."""
    package = tmp_path / "joblake"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "busy.py").write_text(
        "import os, logging, socket\n"
        "os.environ.get('HOME')\n"
        "open(os.devnull, 'w').close()\n"
        "socket.socket().close()\n"
        "logging.getLogger().addHandler(logging.NullHandler())\n"
    )
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + WATCHED_IMPORT
    effects = json.loads(run(program, "joblake.busy"))
    assert "environ HOME" in effects
    assert f"open {'/dev/null'} w" in effects
    assert any(effect.startswith("socket.") for effect in effects)
    assert any("NullHandler" in effect for effect in effects)
