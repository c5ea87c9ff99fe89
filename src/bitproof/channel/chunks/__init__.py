"""Small updates: what of a wanted asset is at hand already, and how little of it has to be fetched.

A publisher makes an asset's chunk index (`cut.make_index`). A client reads it (`index.parse_index`), looks for the same
chunks in files at hand (`cut.plan_reuse`), fills the new file (`assemble.assemble`), and proves it whole.
"""
