"""From built files to resolved paths: record, check, install, resolve, verify, clean up (seed 000)."""
