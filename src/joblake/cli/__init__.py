"""The command line: commands, options, formats, progress and the demo."""
