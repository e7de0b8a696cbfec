"""What records were made from, what was made from them, and what a retraction reaches, by the index of `search`.

>>> from blockchaintracer.extras.lineage import lineage
>>> print(lineage(index, record_id).mermaid())                                                  # doctest: +SKIP
"""

from blockchaintracer.extras.lineage.lineage_graph import Edge as Edge
from blockchaintracer.extras.lineage.lineage_graph import LineageGraph as LineageGraph
from blockchaintracer.extras.lineage.lineage_graph import downstream as downstream
from blockchaintracer.extras.lineage.lineage_graph import lineage as lineage
