"""What a record commits to: an in-toto Statement v1 in RFC 8785 bytes, and what people write to make one.

>>> from blockchaintracer.core.manifest import ContentPredicate, Manifest, parse_manifest
>>> from blockchaintracer.core.record import Kind
>>> content = ContentPredicate(subject_type="commitment", name="survey")
>>> manifest = Manifest.of(Kind.DATASET, content, sha256="ab" * 32)
>>> parse_manifest(manifest.to_bytes()) == manifest
True
"""

from blockchaintracer.core.manifest.base import MAX_BYTES, Part, plain
from blockchaintracer.core.manifest.experiment import DEFAULT_TOLERANCE, ExperimentData, GivenMetric
from blockchaintracer.core.manifest.paths import LISTING, check_paths, is_listing, normal_path
from blockchaintracer.core.manifest.predicates import (
    CONTENT_KINDS,
    Artifact,
    CheckpointAnchor,
    Checkpoints,
    Code,
    ContentPredicate,
    Encrypted,
    Experiment,
    Metric,
    NotBefore,
    Parent,
    Predicate,
    PrivateValues,
    RecordPredicate,
    ReferencePredicate,
    RunEnvironment,
    RunInput,
    RunOutput,
    RunPredicate,
    SeedDerivation,
    State,
    Template,
    Tolerance,
    artifacts_of,
    can_list,
)
from blockchaintracer.core.manifest.statement import (
    Disagreement,
    Manifest,
    check_against_key,
    parse_manifest,
    predicate_type,
)

__all__ = [
    "CONTENT_KINDS",
    "DEFAULT_TOLERANCE",
    "LISTING",
    "MAX_BYTES",
    "Artifact",
    "CheckpointAnchor",
    "Checkpoints",
    "Code",
    "ContentPredicate",
    "Disagreement",
    "Encrypted",
    "Experiment",
    "ExperimentData",
    "GivenMetric",
    "Manifest",
    "Metric",
    "NotBefore",
    "Parent",
    "Part",
    "Predicate",
    "PrivateValues",
    "RecordPredicate",
    "ReferencePredicate",
    "RunEnvironment",
    "RunInput",
    "RunOutput",
    "RunPredicate",
    "SeedDerivation",
    "State",
    "Template",
    "Tolerance",
    "artifacts_of",
    "can_list",
    "check_against_key",
    "check_paths",
    "is_listing",
    "normal_path",
    "parse_manifest",
    "plain",
    "predicate_type",
]
