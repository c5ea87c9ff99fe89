"""Who signed it: minisign's keys and signatures, and what a store remembers of them."""
