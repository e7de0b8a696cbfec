"""What a record commits to: an in-toto Statement v1 in RFC 8785 bytes, and what people write to make one.

>>> from blockchaintracer.manifest import ContentPredicate, Manifest, parse_manifest
>>> from blockchaintracer.model import Kind
>>> content = ContentPredicate(subject_type="commitment", name="survey")
>>> manifest = Manifest.of(Kind.DATASET, content, sha256="ab" * 32)
>>> parse_manifest(manifest.to_bytes()) == manifest
True
"""

from blockchaintracer.manifest.base import MAX_BYTES, Part, plain
from blockchaintracer.manifest.document import (
    DocumentHistory,
    DocumentInput,
    DocumentOutput,
    PrivateDocument,
    RunDocument,
    load_run_document,
)
from blockchaintracer.manifest.experiment import DEFAULT_TOLERANCE, ExperimentData, GivenMetric
from blockchaintracer.manifest.paths import LISTING, check_paths, is_listing, normal_path
from blockchaintracer.manifest.predicates import (
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
from blockchaintracer.manifest.statement import (
    Disagreement,
    Manifest,
    check_against_key,
    parse_manifest,
    predicate_type,
)
from blockchaintracer.manifest.templates import (
    ExperimentTemplate,
    list_templates,
    load_template,
    render_template,
    validate_against_template,
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
    "DocumentHistory",
    "DocumentInput",
    "DocumentOutput",
    "Encrypted",
    "Experiment",
    "ExperimentData",
    "ExperimentTemplate",
    "GivenMetric",
    "Manifest",
    "Metric",
    "NotBefore",
    "Parent",
    "Part",
    "Predicate",
    "PrivateDocument",
    "PrivateValues",
    "RecordPredicate",
    "ReferencePredicate",
    "RunDocument",
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
    "list_templates",
    "load_run_document",
    "load_template",
    "normal_path",
    "parse_manifest",
    "plain",
    "predicate_type",
    "render_template",
    "validate_against_template",
]
