"""Records in the formats of others, each by the library that its community keeps; all say where the record is."""

from blockchaintracer.extras.exports.export import FORMATS as FORMATS
from blockchaintracer.extras.exports.export import export as export
