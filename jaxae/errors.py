"""The one kind of error that a user can mend, and the one kind of warning."""


class UsageError(ValueError):
    """Something asked for that can't be done: one sentence with the value at fault and the way to mend it.

    Raised at the boundary, before any compilation. The command line prints the sentence alone and exits with 2.
    """


class Notice(UserWarning):
    """Something that is done, and may not be what is meant: one sentence, which the command line prints alone."""
