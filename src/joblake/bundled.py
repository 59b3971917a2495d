"""Where the SQL views and the flows lie: inside an installed wheel, or at the top of a checkout."""

from pathlib import Path


def bundled_folder(name: str) -> Path:
    """The folder called `name` (`sql`, `flows`) that travels with the package."""
    package = Path(__file__).parent
    installed = package / name
    return installed if installed.is_dir() else package.parents[1] / name
