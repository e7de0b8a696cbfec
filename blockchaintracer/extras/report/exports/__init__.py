"""Records in the formats of others, each by the library that its community keeps; all say where the record is."""

from blockchaintracer.extras.report.exports.export import FORMATS, export

__all__ = ["FORMATS", "export"]
