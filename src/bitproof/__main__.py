"""``python -m bitproof``."""

from bitproof.cli.main import entry

entry()
