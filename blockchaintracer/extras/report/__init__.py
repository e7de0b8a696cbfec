"""Reports of records: cards, sheets, pages. All is generated from records; nothing is retyped."""

from blockchaintracer.extras.report.documents import formats_for as formats_for
from blockchaintracer.extras.report.documents import make as make
from blockchaintracer.extras.report.documents import record_report as record_report
from blockchaintracer.extras.report.documents import write as write
from blockchaintracer.extras.report.mlflow_runs import named_record as named_record
from blockchaintracer.extras.report.report_facts import gather as gather
