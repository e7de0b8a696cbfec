"""The claims in a proof bundle, judged by themselves, without a chain. Whether they are recorded, stand or are
confirmed needs a node (`verify ID --check-identity`)."""

from __future__ import annotations

from dataclasses import replace

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest.predicates import IdentityClaimPredicate
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import Domain
from blockchaintracer.core.verify.bundle import ProvenBundle
from blockchaintracer.core.verify.outcomes import Check, Outcome
from blockchaintracer.extras.identity.holders import SIGNED, UNDECIDED, Holder, is_same
from blockchaintracer.extras.identity.identity_claims import NotSigned, check_claim, holder_of, title
from blockchaintracer.lab.formats import IDENTITIES
from blockchaintracer.lab.kept_identities import IdentityEvidence, holders_of

_CODE = "its code took the signature (ERC-1271). Ask a node: `verify ID --check-identity`"


def judged(bundle: ProvenBundle) -> tuple[list[Check], list[Holder]]:
    """Judge the claims of a bundle. Returns a check for each, and the holders that they name."""
    domain, checks, holders = Domain(bundle.chain_id, bundle.registry), list[Check](), list[Holder]()
    about = holders_of(domain, (record.key for record in bundle.records))
    for what, item in bundle.evidence:
        # what is written in a later version is not checked, and not refused
        if what != "identity" or item["type"] != str(IDENTITIES):
            continue
        try:
            evidence = IdentityEvidence.parse(canonical(item), "a list of identities")
            if evidence.holder not in about or not is_same(evidence.domain, domain):
                raise InputError("it is about no author or group of these records")
            for entry in evidence.entries:
                if not isinstance(entry.manifest.predicate, IdentityClaimPredicate):
                    continue
                said, state, told = entry.manifest.predicate.statement, SIGNED, "nobody was asked whether it is so"
                try:
                    check_claim(entry.manifest, entry.key, domain)
                except NotSigned as error:
                    # the code of an account takes what bytes it likes: no form of a signature shows that it is forged
                    state, told = UNDECIDED, f"{error.message}: it is forged, unless {_CODE}"
                if holder_of(domain, said) != evidence.holder:
                    raise InputError("it is a claim about another account or group")
                holder = Holder.of(said, state, domain.record_id(entry.key), "a proof")
                holders.append(replace(holder, reason=told if state == UNDECIDED else ""))
                verb, verdict = ("signed", Outcome.PASS) if state == SIGNED else ("is said", Outcome.UNKNOWN)
                checks.append(Check("identity", verdict, f"{said.account} {verb} to be {title(said)}; {told}"))
        except InputError as error:
            checks.append(Check("identity", Outcome.FAIL, f"a claim is refused: {error.message}"))
    return checks, holders
