"""The one error that users are meant to read."""


class SightlineError(Exception):
    """Something a user can mend: one sentence that names the file or field and says what to do.

    The command line prints the sentence alone and exits with ``exit_code``; anything that is not a
    ``SightlineError`` is a defect of ours and keeps its traceback.
    """

    exit_code: int = 1
