"""What a record commits to: typed statements, their canonical bytes and their digest."""

from blockchaintracer.manifest.base import MAX_BYTES, rfc3339
from blockchaintracer.manifest.predicates import (
    Artifact,
    BlockReference,
    Code,
    Content,
    Document,
    Environment,
    Experiment,
    Input,
    Metric,
    Output,
    Parent,
    Reference,
    Run,
    Template,
    Tolerance,
    is_content_only,
)
from blockchaintracer.manifest.rundoc import RunDocument, load_run_document
from blockchaintracer.manifest.statement import Manifest, disagreements, parse_manifest

__all__ = [
    "MAX_BYTES",
    "Artifact",
    "BlockReference",
    "Code",
    "Content",
    "Document",
    "Environment",
    "Experiment",
    "Input",
    "Manifest",
    "Metric",
    "Output",
    "Parent",
    "Reference",
    "Run",
    "RunDocument",
    "Template",
    "Tolerance",
    "disagreements",
    "is_content_only",
    "load_run_document",
    "parse_manifest",
    "rfc3339",
]
