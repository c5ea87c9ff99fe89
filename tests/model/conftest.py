from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
"""A busy computer is no fault of the code: hypothesis looks for wrong answers here, not for slow ones."""
