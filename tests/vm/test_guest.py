import base64
import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import InputError, IntegrityError
from bitproof.model.report import Finding, Report, Verdict
from bitproof.vm.guest import MAX_LINE, Control, Marked, Terminal, quoted_command, read_doctor, request

MARK = "0123456789abcdef" * 2
WORDS = st.lists(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=5
)


def finding(name: str, verdict: str = "ok", **other: str) -> dict[str, str]:
    return {"name": name, "verdict": verdict, "expected": "a", "found": "a"} | other


def document(*findings: object, **other: object) -> bytes:
    return json.dumps({"format": 1, "findings": findings, "stages": {}} | other).encode()


@given(WORDS)
def test_a_command_is_quoted_so_that_a_shell_splits_it_the_same(words: list[str]) -> None:
    assert shlex.split(quoted_command(words).decode()) == words


TOO_LONG = """the command for the guest is too long
  expected: at most 65536 bytes when quoted
  found:    65537 bytes"""
EMPTY = "format: missing: expected an integer; findings: missing: expected an array; stages: missing: expected a table"
UNPRINTABLE = "not a printable text: expected at most 4096 printable characters, found 'a\\x1b[31m'"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([], "the command for the guest is empty\n  fix:      name a program after --"),
        ([""], "the command for the guest is empty\n  fix:      name a program after --"),
        (["a\0b"], "the command for the guest holds a NUL character\n  found:    ['a\\x00b']"),
        (["x" * 65537], TOO_LONG),
    ],
)
def test_a_command_that_cannot_travel_is_refused(command: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        quoted_command(command)
    assert str(caught.value) == message


def test_the_request_is_seven_lines() -> None:
    told = request(
        b"echo 'a\nb'", time=1700000000, mark=MARK, stdin=True, terminal=Terminal(rows=50, columns=132, name="xterm")
    )
    encoded = base64.b64encode(b"echo 'a\nb'").decode()
    assert told.decode() == f"bitproof 1\n1700000000\n{MARK}\ncommand\n1\n50 132 xterm\n{encoded}\n"


def test_a_shell_is_asked_for_with_a_terminal_name_that_cannot_break_the_line() -> None:
    told = request(None, time=1, mark=MARK, stdin=False, terminal=Terminal(name="x\nshell"))
    assert told.decode() == f"bitproof 1\n1\n{MARK}\nshell\n0\n24 80 dumb\n\n"


@given(st.binary(), st.binary(), st.integers(1, 40))
def test_output_comes_through_whole_however_it_is_cut_and_nothing_after_the_mark(
    output: bytes, later: bytes, step: int
) -> None:
    stream = Marked(MARK)
    sent = output + MARK.encode() + later
    received = b"".join(stream.feed(sent[start : start + step]) for start in range(0, len(sent), step))
    assert (received, stream.ended) == (output, True)


def test_output_is_held_back_only_where_it_may_be_the_mark() -> None:
    stream = Marked(MARK)
    assert stream.feed(b"prompt> ") == b"prompt> "
    assert stream.feed(b"x01") == b"x"
    assert stream.feed(b"9") == b"019"
    assert not stream.ended


def test_hello_then_the_exit_code() -> None:
    control = Control(MARK)
    seen = []
    for data in (b"hel", f"lo 1\nexit {MARK} 25".encode(), b"5\n"):
        control.feed(data)
        seen.append((control.greeted, control.code))
    assert seen == [(False, None), (True, None), (True, 255)]


@pytest.mark.parametrize(
    ("said", "expected", "found"),
    [
        (b"hello 2\n", "hello 1", "'hello 2'"),
        (f"exit {MARK} 0\n".encode(), "hello 1", f"'exit {MARK} 0'"),
        (b"hello 1\nhello 1\n", "its exit code", "'hello 1'"),
        (f"hello 1\nexit {'0' * 32} 0\n".encode(), "its exit code", f"'exit {'0' * 32} 0'"),
        (f"hello 1\nexit {MARK} 256\n".encode(), "its exit code", f"'exit {MARK} 256'"),
        (f"hello 1\nexit {MARK} -1\n".encode(), "its exit code", f"'exit {MARK} -1'"),
        (f"hello 1\nexit {MARK} 7\nexit {MARK} 0\n".encode(), "its exit code", f"'exit {MARK} 0'"),
        (b"\xff\n", "hello 1", "'�'"),
    ],
)
def test_a_guest_that_breaks_the_protocol_is_an_integrity_error(said: bytes, expected: str, found: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        Control(MARK).feed(said)
    assert str(caught.value) == (
        "the guest does not keep to the protocol\n"
        f"  expected: {expected}\n"
        f"  found:    {found}\n"
        "  fix:      `bitproof assets build` makes an image whose agent fits this bitproof"
    )


ROOT_HASH = "b" * 64


@pytest.mark.parametrize(
    ("root_hash", "said"),
    [("", "hello 1"), ("", f"hello 1 verity {ROOT_HASH}"), (ROOT_HASH, f"hello 1 verity {ROOT_HASH}")],
)
def test_hello_may_say_the_root_hash_and_must_where_one_is_pinned(root_hash: str, said: str) -> None:
    control = Control(MARK, root_hash)
    control.feed(f"{said}\n".encode())
    assert control.greeted


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("hello 1", "a rootfs that is not mapped through dm-verity"),
        (f"hello 1 verity {'c' * 64}", "c" * 64),
    ],
)
def test_a_guest_whose_init_left_the_rootfs_unchecked_gets_no_command(said: str, found: str) -> None:
    control = Control(MARK, ROOT_HASH)
    with pytest.raises(IntegrityError) as caught:
        control.feed(f"{said}\n".encode())
    assert not control.greeted
    assert str(caught.value) == (
        "the guest does not check its rootfs by the pinned root hash\n"
        f"  expected: {ROOT_HASH}\n"
        f"  found:    {found}\n"
        "  fix:      its init and agent must know bitproof.verity, as those of `bitproof init vm` do; "
        "or boot without --verity"
    )


def test_an_endless_line_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(IntegrityError, match="protocol"):
        Control(MARK).feed(b"h" * (MAX_LINE + 1))


def test_a_good_result_is_the_report_with_the_boot_stages() -> None:
    stages = {"kernel": 1250, "ready": 1720}
    report = read_doctor(document(finding("root"), finding("boot stages"), stages=stages), 0)
    assert report.ok
    assert report.findings == (
        Finding(name="root", verdict=Verdict.OK, expected="a", found="a"),
        Finding(name="boot stages", verdict=Verdict.OK, expected="a", found="kernel 1250 ms, ready 1720 ms"),
    )


def test_a_failed_check_fails_the_report() -> None:
    report = read_doctor(document(finding("root"), finding("clock", "failed", found="61 s apart")), 1)
    assert not report.ok
    assert report.findings[1] == Finding(name="clock", verdict=Verdict.FAILED, expected="a", found="61 s apart")


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (b"", "the file is not JSON: found Expecting value: line 1 column 1 (char 0); exit code 0"),
        (b"[]", "the document is not an object: found an array; exit code 0"),
        (
            b"{}",
            f"{EMPTY}; exit code 0",
        ),
        (document(), "no findings; exit code 0"),
        (document("ok"), "findings[0]: the wrong type: expected an object, found a string; exit code 0"),
        (
            document(finding("a", "OK")),
            "findings[0].verdict: not a known value: expected ok or failed, found 'OK'; exit code 0",
        ),
        (document(finding("a\x1b[31m")), f"findings[0].name: {UNPRINTABLE}; exit code 0"),
        (document(*[finding("a")] * 1001), "findings: too many: expected at most 1000, found 1001; exit code 0"),
        (b" " * (1 << 20) + document(finding("a")), "too long: expected at most 1048576 bytes; exit code 0"),
    ],
)
def test_a_result_that_cannot_be_read_is_a_failure(output: bytes, found: str) -> None:
    report = read_doctor(output, 0)
    assert not report.ok
    last = report.findings[-1]
    expected = "one JSON document with findings"
    assert last == Finding(name="doctor's result", verdict=Verdict.FAILED, expected=expected, found=found)


@pytest.mark.parametrize(("verdict", "code", "expected"), [("ok", 1, "0"), ("failed", 0, "1"), ("ok", 127, "0")])
def test_an_exit_code_that_contradicts_the_findings_is_a_failure(verdict: str, code: int, expected: str) -> None:
    report = read_doctor(document(finding("root", verdict)), code)
    assert not report.ok
    last = report.findings[-1]
    assert last == Finding(name="doctor's exit code", verdict=Verdict.FAILED, expected=expected, found=str(code))


@given(st.binary(), st.integers(0, 255))
def test_no_output_of_a_guest_is_a_crash(output: bytes, code: int) -> None:
    assert isinstance(read_doctor(output, code), Report)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["name", "verdict", "findings", "stages"]), inner),
)


@given(st.fixed_dictionaries({"format": JSON, "findings": JSON | st.lists(JSON), "stages": JSON}))
def test_no_document_of_a_guest_is_a_crash(result: dict[str, object]) -> None:
    assert not read_doctor(json.dumps(result).encode(), 0).ok
