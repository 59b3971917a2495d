"""What the modules may import, and that importing them does nothing."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "joblake"

# Each module of a row may import those of the rows above it, and of its own row those before it.
LAYERS = [
    ["errors", "service_model", "bundled", "pace", "words", "origins", "columns", "quoting"],
    ["disk", "refusals", "sessions", "regions", "aws"],
    ["catalog", "schema", "lake", "s3_lake", "settings", "views"],
    ["tolerant", "fast", "flatten", "spool", "incremental", "positions", "aside", "listing"],
    ["difference", "records", "merge"],
    ["planning"],
    ["memberships", "outcomes"],
    ["export"],
    ["narration"],
    ["policy", "trials", "doctor"],
]
EXPORTING = {"regions", "aws", "tolerant", "fast", "flatten", "listing", "spool", "difference"}
EXPORTING |= {"records", "merge", "planning", "memberships", "incremental", "export", "narration"}
EXPORTING |= {"policy", "trials", "doctor", "sessions", "positions", "aside", "outcomes"}
QUERYING = {"answer", "fence", "warehouse", "values", "table", "results", "publish", "shell"}
QUERYING |= {"report", "report.figures", "report.page"}
TOP = {"arguments", "cli", "options", "demo", "__main__"}

# The library on the left is imported by the modules on the right alone.
DOORS = {
    "prefect": set(),
    "prefect_dask": set(),
    "duckdb": {"fence", "merge", "publish", "warehouse"},
    "botocore.retries": {"aws"},
    "typer": {"arguments", "cli", "options"},
    "harlequin": {"shell"},
    "harlequin_duckdb": {"shell"},
    "boto3": {"aws"},
    "botocore.model": {"service_model"},
    "botocore.loaders": {"service_model"},
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


def test_the_package_was_found():
    """The tests below look at real modules."""
    assert {"errors", "service_model", "export", "cli", "endpoint.server"} <= MODULES.keys()
    assert own_imports("catalog") == {"errors", "service_model"}
    assert "prefect.flow" in FLOWS["nightly_export"]


def test_every_module_has_its_place():
    """A new module must be given its layer here, or its side."""
    placed = {module for layer in LAYERS for module in layer} | QUERYING | TOP | {""}
    assert {module for module in MODULES if not is_under(module, "endpoint")} <= placed


@pytest.mark.parametrize("module", [module for layer in LAYERS for module in layer])
def test_imports_run_one_way(module):
    """From errors and service_model up to export, and never down again."""
    order = [other for layer in LAYERS for other in layer]
    assert module in MODULES
    assert own_imports(module) <= set(order[: order.index(module)])


@pytest.mark.parametrize("module", sorted(QUERYING & MODULES.keys()))
def test_the_querying_side_knows_nothing_of_the_exporting_side(module):
    """The two share files, and what the files look like, and nothing else."""
    allowed = {"errors", "service_model", "bundled", "catalog", "schema", "lake", "settings"}
    assert own_imports(module) <= allowed | {"quoting", "views"} | QUERYING
    assert not own_imports(module) & EXPORTING


@pytest.mark.parametrize("module", sorted(MODULES))
def test_command_line_and_demo_are_imported_by_the_command_line_alone(module):
    """What prints and exits stands on top."""
    allowed = TOP if module in {"cli", "__main__"} else set()
    assert own_imports(module) & TOP <= allowed


@pytest.mark.parametrize("module", sorted(m for m in MODULES if is_under(m, "endpoint")))
def test_the_endpoint_knows_nothing_of_the_exporter(module):
    """It stands where AWS stands: it shares the service models with joblake, not its code."""
    own = {other for other in own_imports(module) if not is_under(other, "endpoint")}
    assert own <= {"errors", "service_model", "catalog"}


@pytest.mark.parametrize("module", sorted(MODULES.keys() - TOP))
def test_only_the_top_starts_an_endpoint(module):
    """Nothing between boto3 and AWS knows the embedded endpoint."""
    if not is_under(module, "endpoint"):
        assert not {other for other in own_imports(module) if is_under(other, "endpoint")}


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_one_door(library):
    """Each library is imported where its concern is, so that a change of it is one change."""
    users = {
        module
        for module, names in MODULES.items()
        if any(is_under(name, library) for name in names)
    }
    assert users <= DOORS[library]
    assert users or not DOORS[library]


def test_flows_are_thin():
    """Flows plan and export; they know no client, no file and no SQL."""
    thin = {"export", "outcomes", "planning", "settings", "publish", "report", "lake", "errors"}
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
import joblake.cli
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
