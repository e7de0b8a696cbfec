"""Reports of records: cards, sheets, pages. All is generated from records; nothing is retyped.

>>> from blockchaintracer.extras.report import gather, make                         # doctest: +SKIP
>>> files = make(gather(lab, record_id), ["html", "csv"])                    # doctest: +SKIP
"""

from blockchaintracer.extras.report.documentation import Documentation, DocumentationTracer
from blockchaintracer.extras.report.documents import (
    FORMATS,
    Report,
    formats_for,
    history,
    make,
    record_report,
    report_by_setting,
    restore,
    set_reports,
    write,
)
from blockchaintracer.extras.report.gather import Facts, gather, view
from blockchaintracer.extras.report.mlflow_runs import named_record

__all__ = [
    "FORMATS",
    "Documentation",
    "DocumentationTracer",
    "Facts",
    "Report",
    "formats_for",
    "gather",
    "history",
    "make",
    "named_record",
    "record_report",
    "report_by_setting",
    "restore",
    "set_reports",
    "view",
    "write",
]
