"""The claims in a proof bundle, judged by themselves, without a chain. Whether they are recorded, stand or are
confirmed needs a node (`verify ID --check-identity`)."""

from __future__ import annotations

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import IDENTITIES
from blockchaintracer.core.manifest.predicates import IdentityClaimPredicate
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import Domain
from blockchaintracer.core.verify.bundle import ProvenBundle
from blockchaintracer.core.verify.outcomes import Check, Outcome
from blockchaintracer.extras.identity.holders import SIGNED, Holder, is_same
from blockchaintracer.extras.identity.identity_claims import check_claim, holder_of, title
from blockchaintracer.lab.kept_identities import IdentityEvidence, holders_of


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
                if isinstance(entry.manifest.predicate, IdentityClaimPredicate):
                    said = check_claim(entry.manifest, entry.key, domain).statement
                    if holder_of(domain, said) != evidence.holder:
                        raise InputError("it is a claim about another account or group")
                    holders.append(Holder.of(said, SIGNED, domain.record_id(entry.key), "a proof"))
                    detail = f"{said.account} signed to be {title(said)}; nobody was asked whether it is so"
                    checks.append(Check("identity", Outcome.PASS, detail))
        except InputError as error:
            checks.append(Check("identity", Outcome.FAIL, f"a claim is refused: {error.message}"))
    return checks, holders
