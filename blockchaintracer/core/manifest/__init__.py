"""What a record commits to: an in-toto Statement v1 in RFC 8785 bytes, and what people write to make one.

>>> from blockchaintracer.core.manifest import ContentPredicate, Manifest, parse_manifest
>>> from blockchaintracer.core.record import Kind
>>> content = ContentPredicate(subject_type="commitment", name="survey")
>>> manifest = Manifest.of(Kind.DATASET, content, sha256="ab" * 32)
>>> parse_manifest(manifest.to_bytes()) == manifest
True
"""

from blockchaintracer.core.manifest.base import Part as Part
from blockchaintracer.core.manifest.paths import LISTING as LISTING
from blockchaintracer.core.manifest.paths import is_listing as is_listing
from blockchaintracer.core.manifest.predicates import IMAGE as IMAGE
from blockchaintracer.core.manifest.predicates import Artifact as Artifact
from blockchaintracer.core.manifest.predicates import CheckpointAnchor as CheckpointAnchor
from blockchaintracer.core.manifest.predicates import Checkpoints as Checkpoints
from blockchaintracer.core.manifest.predicates import Code as Code
from blockchaintracer.core.manifest.predicates import CodeState as CodeState
from blockchaintracer.core.manifest.predicates import ContentPredicate as ContentPredicate
from blockchaintracer.core.manifest.predicates import Encrypted as Encrypted
from blockchaintracer.core.manifest.predicates import Experiment as Experiment
from blockchaintracer.core.manifest.predicates import Metric as Metric
from blockchaintracer.core.manifest.predicates import NestedCode as NestedCode
from blockchaintracer.core.manifest.predicates import NotBefore as NotBefore
from blockchaintracer.core.manifest.predicates import Parent as Parent
from blockchaintracer.core.manifest.predicates import Predicate as Predicate
from blockchaintracer.core.manifest.predicates import PrivateValues as PrivateValues
from blockchaintracer.core.manifest.predicates import Reads as Reads
from blockchaintracer.core.manifest.predicates import RecordPredicate as RecordPredicate
from blockchaintracer.core.manifest.predicates import RenewalPredicate as RenewalPredicate
from blockchaintracer.core.manifest.predicates import RenewalRoots as RenewalRoots
from blockchaintracer.core.manifest.predicates import RunEnvironment as RunEnvironment
from blockchaintracer.core.manifest.predicates import RunInput as RunInput
from blockchaintracer.core.manifest.predicates import RunOutput as RunOutput
from blockchaintracer.core.manifest.predicates import RunPredicate as RunPredicate
from blockchaintracer.core.manifest.predicates import SeedDerivation as SeedDerivation
from blockchaintracer.core.manifest.predicates import State as State
from blockchaintracer.core.manifest.predicates import Tolerance as Tolerance
from blockchaintracer.core.manifest.predicates import WholeFile as WholeFile
from blockchaintracer.core.manifest.predicates import WitnessPredicate as WitnessPredicate
from blockchaintracer.core.manifest.predicates import artifacts_of as artifacts_of
from blockchaintracer.core.manifest.statement import Manifest as Manifest
from blockchaintracer.core.manifest.statement import check_against_key as check_against_key
from blockchaintracer.core.manifest.statement import parse_manifest as parse_manifest
from blockchaintracer.core.plain_json import MAX_BYTES as MAX_BYTES
