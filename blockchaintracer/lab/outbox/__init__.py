"""What is to be written to a chain, and has been: a journal that any later process can carry on."""

from blockchaintracer.lab.outbox.journal import Entry as Entry
from blockchaintracer.lab.outbox.journal import EntryState as EntryState
from blockchaintracer.lab.outbox.queue import TOGETHER as TOGETHER
from blockchaintracer.lab.outbox.queue import Outbox as Outbox
from blockchaintracer.lab.outbox.transactions import ANCHORS as ANCHORS
from blockchaintracer.lab.outbox.transactions import Op as Op
from blockchaintracer.lab.outbox.transactions import Transaction as Transaction
from blockchaintracer.lab.outbox.transactions import deployment as deployment
from blockchaintracer.lab.outbox.transactions import factory_steps as factory_steps
