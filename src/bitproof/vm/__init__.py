"""Open and hash, launch, listen to the guest."""
