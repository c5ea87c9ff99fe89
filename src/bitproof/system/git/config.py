"""Which keys of a repository's own ``.git/config`` are safe for the git commands that bitproof runs. Pure.

A config can run programs on a mere ``git status``. Each key is one of these:

- harmless to fetch, status, checkout, ls-files, ls-tree, cat-file, diff-tree and rev-list, or never read by them
- overridden: by `HARDENED`, by the environment that `bitproof.system.git` makes, or, for filters, by name
- refused: every other one, so that a key which a later git learns is refused too

What was thought of beside the config: ``info/attributes`` and ``.gitattributes`` can only name filters, and these run
nothing; ``info/grafts`` and ``refs/replace`` are switched off by the environment; ``objects/info/alternates``,
``commondir`` and symlinks in ``.git`` lead outside and are refused by `bitproof.system.git`.
"""

from collections.abc import Iterable

Setting = tuple[str, str]

HARDENED: tuple[Setting, ...] = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.askPass", ""),
    ("core.pager", "cat"),
    ("core.editor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("core.commitGraph", "false"),
    ("credential.helper", ""),
    ("submodule.recurse", "false"),
    ("transfer.fsckObjects", "true"),
    ("fetch.fsckObjects", "true"),
    ("transfer.bundleURI", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("checkout.workers", "1"),
    ("advice.detachedHead", "false"),
    ("advice.graftFileDeprecated", "false"),
)
"""Given to every git after the repository's own config, so that these win. A commit graph may lie about parents."""

_UNREAD = frozenset(
    """
    advice alias am apply author bisect blame branch browser checkout clone color column commit committer diff
    difftool feature format gc gitk github gpg grep gui help hub i18n imap index init instaweb interactive lfs log
    maintenance man merge mergetool notes pack pager protocol pull push rebase receive repack rerere sendemail
    sequence stash status submodule svn svn-remote tag trailer uploadpack user versionsort web worktree
    """.split()  # noqa: SIM905 - one name a line would fill two screens
)
"""Sections of commands that never run here, or that choose no program, path or address in those that do."""

_HARMLESS = frozenset(
    """
    core.abbrev core.autocrlf core.bare core.bigfilethreshold core.checkstat core.commentchar core.compression
    core.createobject core.eol core.filemode core.fsync core.fsyncmethod core.fsyncobjectfiles core.ignorecase
    core.logallrefupdates core.loosecompression core.multipackindex core.packedgitlimit core.packedgitwindowsize
    core.precomposeunicode core.preloadindex core.protecthfs core.protectntfs core.quotepath
    core.repositoryformatversion core.safecrlf core.sharedrepository core.splitindex core.symlinks core.trustctime
    core.untrackedcache core.whitespace
    core.askpass core.attributesfile core.commitgraph core.editor core.excludesfile core.fsmonitor core.gitproxy
    core.hookspath core.pager core.sshcommand
    extensions.noop extensions.objectformat
    fetch.fsckobjects fetch.output fetch.parallel fetch.prune fetch.prunetags fetch.recursesubmodules
    fetch.showforcedupdates fetch.writecommitgraph
    http.lowspeedlimit http.lowspeedtime http.maxrequests http.minsessions http.postbuffer http.version
    transfer.bundleuri transfer.credentialsinurl transfer.fsckobjects transfer.hiderefs transfer.unpacklimit
    """.split()  # noqa: SIM905 - as above
)
_REMOTE = frozenset(
    "fetch followremotehead gh-resolved mirror prune prunetags push pushurl skipdefaultupdate tagopt url".split()  # noqa: SIM905 - as above
)
_FILTER = {"clean": "", "smudge": "", "process": "", "required": "false"}


def parse_listing(data: bytes) -> list[str]:
    r"""The keys of ``git config --list -z``, in their order.

    >>> parse_listing(b"core.bare\nfalse\0core.fsmonitor\0")
    ['core.bare', 'core.fsmonitor']
    """
    return [entry.split(b"\n", 1)[0].decode("utf-8", "surrogateescape") for entry in data.split(b"\0") if entry]


def judge(keys: Iterable[str]) -> tuple[tuple[Setting, ...], tuple[str, ...]]:
    """What must be set to make these keys harmless, and which of them cannot be made so.

    >>> judge(["core.bare", "filter.lfs.smudge", "include.path"])
    ((('filter.lfs.smudge', ''),), ('include.path',))
    """
    settings: dict[str, str] = {}
    refused: dict[str, None] = {}
    for key in keys:
        section, _, rest = key.partition(".")
        name, _, variable = rest.rpartition(".")
        if section == "filter" and variable in _FILTER:
            settings[key] = _FILTER[variable]
        elif not (section in _UNREAD or section == "credential" or key in _HARMLESS or _is_remote(key, name, variable)):
            refused[key] = None
    return tuple(settings.items()), tuple(refused)


def _is_remote(key: str, name: str, variable: str) -> bool:
    """A remote with a plain name: one named like a URL would apply to that URL."""
    plain = name and ":" not in name and not name.startswith(("/", "."))
    return key.startswith("remote.") and bool(plain) and variable in _REMOTE
