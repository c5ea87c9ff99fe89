"""What an S3 store answered, as bitproof's errors: the status and the store's own code, and nothing else of the answer.

The library's texts hold the answer's whole body, and with it whatever the store put there, key ids among it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from bitproof.errors import BitproofError, IntegrityError, UnavailableError

_STATUS = re.compile(r"status code: (?P<status>[0-9]{3} [A-Za-z -]+)", re.ASCII)
_CODE = re.compile(r"<Code>(?P<code>[A-Za-z0-9]{1,64})</Code>", re.ASCII)
_REGION = "incorrectly configured region"
_NOT_PARTIAL = "non-partial response"
_ANOTHER_PART = re.compile(r"Requested (?P<wanted>[0-9]+\.\.[0-9]+), got (?P<served>[0-9]+\.\.[0-9]+)", re.ASCII)
_REFUSED = ("401", "403")
_NO_BUCKET = "NoSuchBucket"
_NOT_IMPLEMENTED = "501"
CREDENTIALS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and what they may do"
ENDPOINT = "check AWS_ENDPOINT_URL and AWS_REGION, and the network; then run the same command again"
NO_CONDITIONS = "publish from one machine at a time into a directory, and copy that to the store"


@contextmanager
def told(where: str) -> Iterator[None]:
    """Run a call of obstore; what it refuses for another reason than a condition or an absence becomes a sentence.

    Raises:
        UnavailableError: the store refused, or cannot be reached.
        FileNotFoundError: there is no such object.
        PreconditionError, AlreadyExistsError: as obstore raises them.
    """
    from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

    try:
        yield
    except (AlreadyExistsError, PreconditionError):
        raise
    except (FileNotFoundError, BaseError) as error:
        text = str(error)
        if isinstance(error, FileNotFoundError) and _NO_BUCKET not in text:
            raise
        raise refusal(text, where) from None


def refusal(text: str, where: str) -> BitproofError:
    """An error of obstore that is neither an absence nor a condition, by its text."""
    if _NOT_PARTIAL in text:
        return other_bytes(where, "a part", "the whole file")
    if part := _ANOTHER_PART.search(text):
        return other_bytes(where, f"bytes {part['wanted']}", f"bytes {part['served']}")
    status = _STATUS.search(text)
    if status is None:
        found = "it names another region" if _REGION in text else "no answer"
        return UnavailableError("the S3 store cannot be reached", where=where, found=found, fix=ENDPOINT)
    code = _CODE.search(text)
    return _refused(status["status"].strip(), code["code"] if code else "", where)


def _refused(status: str, code: str, where: str) -> UnavailableError:
    found = f"{status}, {code}" if code else status
    if code == _NO_BUCKET:
        return UnavailableError("there is no such bucket", where=where, found=found, fix="make it, or check its name")
    if status.startswith(_REFUSED):
        return UnavailableError("the S3 store refused the request", where=where, found=found, fix=CREDENTIALS)
    if status.startswith(_NOT_IMPLEMENTED):
        return no_conditions(where, found)
    return UnavailableError("the S3 store failed", where=where, found=found, fix="run the same command again later")


def other_bytes(where: str, expected: str, found: str) -> IntegrityError:
    """The store serves another part, or a part of another object."""
    what = "the S3 store serves other bytes than were asked for"
    return IntegrityError(what, where=where, expected=expected, found=found)


def no_conditions(where: str, found: str) -> UnavailableError:
    """The store would let one publisher overwrite what another one has just written."""
    what = "the S3 store has no conditional writes, without which two publishers could overwrite each other"
    return UnavailableError(what, where=where, expected="If-None-Match and If-Match", found=found, fix=NO_CONDITIONS)
