"""Words in, words out: parse, call, render. ``main`` alone maps errors to exit codes."""
