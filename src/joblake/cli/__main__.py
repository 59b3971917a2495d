"""`python -m joblake.cli` is the command `joblake`."""

from joblake.cli.commands import main

if __name__ == "__main__":
    main()
