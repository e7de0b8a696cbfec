"""Whether files are what a record names: copies that are kept, and files or folders that somebody shows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

from blockchaintracer.core.digest import (
    LISTING_LIMIT,
    FolderDigest,
    digest_folder,
    in_threads,
    parse_listing,
    sha256_file,
)
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import (
    LISTING,
    MAX_BYTES,
    ContentPredicate,
    Manifest,
    RunPredicate,
    artifacts_of,
    check_against_key,
    is_listing,
    parse_manifest,
)
from blockchaintracer.core.manifest.predicates import IdentityClaimPredicate, Predicate, identifier_of
from blockchaintracer.core.record import RecordKey, SubjectType, label
from blockchaintracer.core.verify.copies import Copies, Copy, Damaged, compare_files
from blockchaintracer.core.verify.outcomes import Check, Outcome

_NAMED, _MORE = 20, 1 << 30
_BY_SALT = "who has the salt and the content can open it"


def checked_manifest(copies: Copies, key: RecordKey) -> tuple[Manifest | None, list[Check]]:
    """Load the manifest, check its SHA-256 and compare it with the record key. Returns None if it is missing or is not
    a manifest."""
    digest = key.manifest
    data, copy = copies.read_bytes(digest, MAX_BYTES)
    if data is None:
        return None, [*without_copy("manifest", digest, copy)]
    try:
        manifest = parse_manifest(data)
    except InputError as error:
        return None, [Check("manifest", Outcome.FAIL, error.message)]
    detail = f"re-hashed: {digest}, canonical, {copy.where}{passed_over(copy)}"
    wrong = check_against_key(manifest, key)
    told = "; ".join(wrong) or "the manifest and the key say the same"
    return manifest, [
        Check("manifest", Outcome.PASS, detail, {"sha256": digest, "cid": manifest.cid()}),
        Check("agreement", Outcome.FAIL if wrong else Outcome.PASS, told),
    ]


def check_subject(copies: Copies, key: RecordKey, manifest: Manifest | None) -> Iterator[Check]:
    """Hash the subject of the record again, of a folder each file."""
    name = "subject"
    if key.subject_type == SubjectType.FILE:
        content = manifest.predicate if manifest and isinstance(manifest.predicate, ContentPredicate) else None
        said = (content.size, content.cid, content.cid_profile) if content else ()
        for check in _check_copies(copies, name, key.subject, *said):
            # where its author says that it is: nobody asked there
            named = f"; its manifest names {content.source}" if content and content.source else ""
            yield replace(check, detail=check.detail + named) if check.verdict is Outcome.UNKNOWN else check
        if content and content.digest_from:
            detail = f"it is the word of {content.digest_from}: who recorded it did not read the data"
            yield Check("digest", Outcome.UNKNOWN, detail)
    elif key.subject_type == SubjectType.FOLDER:
        yield from _check_folder(copies, name, key.subject)
        yield from _check_listed(copies, key.subject, _executable(manifest))
    elif key.subject_type == SubjectType.COMMITMENT:
        encrypted = getattr(manifest.predicate, "encrypted", None) if manifest else None
        how = "its content is encrypted, and `decrypt` opens it for its recipients" if encrypted else _BY_SALT
        yield Check(name, Outcome.UNKNOWN, f"it is a salted commitment: {how}")
    else:
        identifier = identifier_of(manifest.predicate) if manifest else None
        claim = manifest.predicate if manifest and key.subject_type == SubjectType.STATEMENT else None
        if isinstance(claim, IdentityClaimPredicate):
            stated, same = claim.statement, claim.statement.digest() == key.subject
            whose = f"account {stated.account}" if stated.group is None else f"group {stated.group}"
            detail = f"the EIP-712 digest of its author's statement: {whose} is {stated.scheme} {stated.identifier!a}"
            yield Check(name, Outcome.PASS if same else Outcome.FAIL, f"it is {'' if same else 'not '}{detail}")
            return
        if identifier is None or key.subject_type != SubjectType.IDENTIFIER:
            detail = f"it is of type {label(key.subject_type, SubjectType)}: what it is the digest of is not known here"
            yield Check(name, Outcome.UNKNOWN, detail)
            return
        same = sha256(identifier.encode()).hexdigest() == key.subject
        detail = f"it is {'' if same else 'not '}the SHA-256 of the identifier {identifier}"
        yield Check(name, Outcome.PASS if same else Outcome.FAIL, detail, {"identifier": identifier})


def check_artifacts(copies: Copies, manifest: Manifest) -> Iterator[Check]:
    """Hash every artifact of a manifest again, of a folder that was an output each file."""
    for artifact in artifacts_of(manifest.predicate):
        name = f"artifact {artifact.path}"
        if is_listing(artifact.path):
            yield from _check_folder(copies, name, artifact.sha256)
        else:
            yield from _check_copies(copies, name, artifact.sha256, artifact.size, artifact.cid, artifact.cid_profile)


def check_private(manifest: Manifest) -> Iterator[Check]:
    """Report that nothing is known of private values."""
    it = manifest.predicate.private if isinstance(manifest.predicate, RunPredicate) else None
    if it:
        detail = f"it commits to values that are not shown, by the root {it.root}: `verify` of a disclosure shows one"
        yield Check("private", Outcome.UNKNOWN, detail, {"rootSha256": it.root, "leaves": it.leaves})


def _check_copies(
    copies: Copies, name: str, sha256: str, size: int | None = None, cid: str | None = None, profile: str | None = None
) -> Iterator[Check]:
    """Hash a file again by its digest, and compare what else its manifest says of it."""
    # a stranger's copy can be without end
    with copies.find_copy(sha256, limit=None if size is None else size + _MORE, cid_profile=profile) as copy:
        if copy.digest is None:
            yield from without_copy(name, sha256, copy)
            return
        digest = copy.digest
        values = {"sha256": digest.sha256, "size": digest.size, "where": copy.where}
        if size not in (None, digest.size):
            yield Check(name, Outcome.FAIL, f"the manifest says {size} bytes, it has {digest.size}", values)
        elif cid not in (None, digest.cid):
            yield Check(name, Outcome.FAIL, f"the manifest says the CID {cid}, it is {digest.cid}", values)
        else:
            detail = f"re-hashed: {digest.sha256}, {digest.size} bytes, {copy.where}{passed_over(copy)}"
            yield Check(name, Outcome.PASS, detail, values)


def _check_folder(copies: Copies, name: str, digest: str) -> Iterator[Check]:
    files, copy = read_listing(copies, digest)
    if files is None:
        if copy.wrong:
            yield Check(name, Outcome.FAIL, f"{digest} is no folder: {copy.wrong}", {"sha256": digest})
        else:
            yield from without_copy(name, digest, copy)
        return

    def look(file: tuple[str, str]) -> Copy:
        with copies.find_copy(file[1]) as found:
            return found

    lacking, damaged = dict[tuple[str, str], Copy](), list[Damaged]()
    # hashing leaves the interpreter's lock, so threads use all cores
    for file, found in in_threads(look, files, os.cpu_count() or 1):
        if found.digest is None:
            lacking[file] = found
        else:
            damaged += found.damaged
    unavailable = {path: one.unavailable for (path, _), one in lacking.items() if one.unavailable}
    missing = {path: digest for (path, digest), one in lacking.items() if not one.unavailable and not one.damaged}
    for (path, of_file), one in lacking.items():
        if one.damaged and not one.unavailable:
            yield from without_copy(f"{name} {path}", of_file, one)
    of = f"of {len(files)} files"
    if unavailable:
        why = next(iter(unavailable.values()))[0]
        detail = f"{len(unavailable)} {of} are unavailable: {_some([*unavailable])} ({why})"
        yield Check(name, Outcome.UNKNOWN, detail, {"sha256": digest, "unavailable": unavailable})
    if missing:
        detail = f"{len(missing)} {of} are not here: {_some([*missing])}"
        yield Check(name, Outcome.UNKNOWN, detail, {"sha256": digest, "missing": missing})
    if whole := len(files) - len(lacking):
        detail = f"re-hashed: {whole} {of} of the folder {digest}{passed_over(Copy(damaged=copy.damaged + damaged))}"
        yield Check(name, Outcome.PASS, detail, {"sha256": digest, "files": whole})


def _executable(manifest: Manifest | None) -> tuple[str, ...]:
    predicate = manifest.predicate if manifest else None
    return (predicate.executable or ()) if isinstance(predicate, ContentPredicate) else ()


def _check_listed(copies: Copies, digest: str, executable: Sequence[str]) -> Iterator[Check]:
    """Check that the folder has the files that the manifest calls executable."""
    files, _ = read_listing(copies, digest) if executable else (None, None)
    if files is None:
        return
    unknown = sorted({*executable} - {path for path, _ in files})
    if unknown:
        detail = f"the manifest calls executable what the folder doesn't have: {_some(unknown)}"
        yield Check("executable", Outcome.FAIL, detail, {"unknown": unknown})
    else:
        detail = f"{len(executable)} of {len(files)} files may be executed, as the manifest says"
        yield Check("executable", Outcome.PASS, detail, {"executable": list(executable)})


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:_NAMED]) + (" and more" if len(paths) > _NAMED else "")


def read_listing(copies: Copies, digest: str) -> tuple[tuple[tuple[str, str], ...] | None, Copy]:
    """Return the (path, SHA-256) of a folder by its digest, or None if its listing is missing or invalid."""
    data, copy = copies.read_bytes(digest, LISTING_LIMIT)
    if data is None:
        return None, copy
    try:
        return parse_listing(data), copy
    except InputError as error:
        copy.wrong = error.message
        return None, copy


def passed_over(copy: Copy) -> str:
    """Name the damaged copies that stood before the whole one; empty without."""
    shown = "".join(f"; passed over: {bad}" for bad in copy.damaged[:_NAMED])
    return f"{shown}; and {len(copy.damaged) - _NAMED} more" if len(copy.damaged) > _NAMED else shown


def without_copy(name: str, digest: str, copy: Copy) -> Iterator[Check]:
    """Report why there is no whole copy: a source is unavailable, every copy is damaged, or no source has one."""
    why = f" ({'; '.join(copy.reasons)})" if copy.reasons else ""
    if copy.unavailable:
        asked = {"sha256": digest, "unavailable": copy.unavailable}
        yield Check(name, Outcome.UNKNOWN, f"unavailable: {digest}{why}", asked)
    elif not copy.damaged:
        yield Check(name, Outcome.UNKNOWN, f"not here: {digest}{why}", {"sha256": digest})
    for bad in copy.damaged if not copy.unavailable else ():
        differences = asdict(bad.differences) if bad.differences else None
        values = {"expected": digest, "actual": bad.sha256, "where": bad.where, "differences": differences}
        yield Check(name, Outcome.FAIL, f"expected the SHA-256 {digest}: {bad}", values)


class Shown:
    """A file or folder that somebody shows, hashed once."""

    def __init__(self, path: Path, copies: Copies) -> None:
        self.path = path
        self.folder: FolderDigest | None = digest_folder(path, copies.progress) if path.is_dir() else None
        self.sha256 = self.folder.sha256 if self.folder else sha256_file(path, copies.progress)
        self.subject_type = SubjectType.FOLDER if self.folder else SubjectType.FILE
        self._copies = copies

    def compare(self, key: RecordKey, manifest: Manifest | None) -> list[Check]:
        """Compare with what a record names, and list every file that is missing, added or changed."""
        if (self.sha256, self.subject_type) == (key.subject, key.subject_type):
            return [self._same(self.path, key.subject, "what was recorded")]
        if key.subject_type == SubjectType.FOLDER:
            return [*self._against_listing(key.subject), *self.check_executable(manifest)]
        if key.subject_type == SubjectType.FILE:
            if self.folder:
                return [self._fail(f"{self.path} is a folder, and the record is of a file", key.subject)]
            return [self._changed(str(self.path), self.path, key.subject, self.sha256)]
        if manifest is not None and getattr(manifest.predicate, "encrypted", None):
            detail = "the record's content is encrypted: `decrypt` shows it to its recipients, to compare"
            return [Check("content", Outcome.UNKNOWN, detail)]
        if manifest is None:
            return [Check("content", Outcome.UNKNOWN, "which files the record names is in its manifest, not at hand")]
        return self._against_named(manifest.predicate)

    def check_executable(self, manifest: Manifest | None) -> Iterator[Check]:
        """Check that exactly the files that the manifest lists are executable."""
        recorded, here = {*_executable(manifest)}, {*(self.folder.executable if self.folder else ())}
        if self.folder is None or not (recorded or here):
            return
        if manifest is None or not isinstance(manifest.predicate, ContentPredicate):
            return
        if not recorded:
            detail = f"executable here, and the manifest lists none (or had too many to list): {_some(sorted(here))}"
            yield Check("executable", Outcome.UNKNOWN, detail, {"gained": sorted(here)})
            return
        lost, gained = sorted(recorded - here), sorted(here - recorded)
        values = {"lost": lost, "gained": gained}
        if lost or gained:
            differences = [f"not executable here: {_some(lost)}"] if lost else []
            differences += [f"executable here alone: {_some(gained)}"] if gained else []
            detail = f"it differs from what was recorded: {'; '.join(differences)}"
            yield Check("executable", Outcome.FAIL, detail, values)
        else:
            detail = f"the same {len(here)} of {len(self.folder.files)} files may be executed as when it was recorded"
            yield Check("executable", Outcome.PASS, detail, values)

    def _against_named(self, predicate: Predicate) -> list[Check]:
        files = [(artifact.path, artifact.sha256) for artifact in artifacts_of(predicate)]
        inputs = predicate.inputs if isinstance(predicate, RunPredicate) else ()
        read = [(it.path or it.name or it.record, it.sha256) for it in inputs]
        if own := self._own((*files, *read)):
            what = "the record's {}" if (own, self.sha256) in files else "the run's input {}, by its digest"
            return [self._same(self.path, self.sha256, what.format(own))]
        missing = f"the record names no file like {self.path}"
        if self.folder is None:
            return self._differs((*files, *read), missing)
        for path, digest in files:
            if path == f"{self.path.name}/{LISTING}":
                return self._against_listing(digest)
        here = {entry.path: entry.sha256 for entry in self.folder.files}
        checks = [
            self._same(self.path / path, digest, f"the record's {path}")
            if here[path] == digest
            else self._changed(path, self.path / path, digest, here[path])
            for path, digest in files
            if path in here
        ]
        return checks or [self._fail(missing, None)]

    def _against_listing(self, digest: str) -> list[Check]:
        files, copy = read_listing(self._copies, digest)
        if files is None:
            problems = [copy.wrong] if copy.wrong else copy.reasons
            why = f": {'; '.join(problems)}" if problems else ""
            detail = f"{self.path} is not what was recorded; which file is unknown, for the listing is not here{why}"
            return [self._fail(detail, digest)]
        return self.against_files(files)

    def against_files(self, files: Sequence[tuple[str, str]]) -> list[Check]:
        """Compare with the (path, SHA-256) of a recorded folder: the whole folder, or the file of its name."""
        recorded = dict(files)
        if self.folder is None:
            if own := self._own(files):
                return [self._same(self.path, self.sha256, f"the recorded folder's {own}")]
            return self._differs(files, f"the recorded folder has no file like {self.path}")
        here = {entry.path: entry.sha256 for entry in self.folder.files}
        checks = [
            self._changed(path, self.path / path, digest, here[path])
            for path, digest in recorded.items()
            if path in here and here[path] != digest
        ]
        checks += [
            Check(f"content {path}", Outcome.FAIL, f"missing: expected {digest}", {"path": path, "expected": digest})
            for path, digest in recorded.items()
            if path not in here
        ]
        checks += [
            Check(
                f"content {path}", Outcome.FAIL, f"added: the record has no such file; it is {digest}", {"path": path}
            )
            for path, digest in here.items()
            if path not in recorded
        ]
        return checks

    def _own(self, recorded: Sequence[tuple[str, str]]) -> str | None:
        """Return which of the recorded files with these bytes this one is. A file that has another's place has not the
        place's bytes: that is a change."""
        equal = [path for path, digest in recorded if digest == self.sha256]
        named = [path for path, _ in recorded if same_name(path, self.path)]
        return next((path for path in named if path in equal), None if named else next(iter(equal), None))

    def _differs(self, recorded: Sequence[tuple[str, str]], missing: str) -> list[Check]:
        equal = [path for path, digest in recorded if digest == self.sha256]
        named = [it for it in recorded if same_name(it[0], self.path)]
        named = named or [it for it in recorded if Path(it[0]).name == self.path.name]
        checks = [self._changed(path, self.path, digest, self.sha256, equal) for path, digest in named]
        return checks or [self._fail(missing, None)]

    def _same(self, path: Path, digest: str, what: str) -> Check:
        return Check("content", Outcome.PASS, f"{path} is {what}: {digest}", {"path": str(path), "sha256": digest})

    def _fail(self, detail: str, expected: str | None) -> Check:
        return Check("content", Outcome.FAIL, detail, {"expected": expected, "actual": self.sha256})

    def _changed(self, name: str, path: Path, expected: str, actual: str, equal: Sequence[str] = ()) -> Check:
        with self._copies.find_copy(expected) as copy:
            differences = compare_files(copy.path, path) if copy.path else None
        place = f"; {differences}" if differences else "; where is unknown, for the original is not here"
        place = f"; it has the bytes of the recorded {equal[0]}" if equal else place
        values = {
            "path": name,
            "expected": expected,
            "actual": actual,
            "differences": asdict(differences) if differences else None,
        }
        return Check(f"content {name}", Outcome.FAIL, f"changed: expected {expected}, got {actual}{place}", values)


def same_name(recorded: str, path: Path) -> bool:
    """Return whether a recorded path can be a file that lies elsewhere now: one path ends with the other."""
    one, other = recorded.split("/"), path.resolve().as_posix().strip("/").split("/")
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]
