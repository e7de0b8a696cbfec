"""Witnesses of time: calendars of OpenTimestamps, authorities of RFC 3161, and registries on a second chain.

A stamp is made of the SHA-256 of a text (`StampedSubject`). `stamp` asks the witnesses for it, `keep_receipts` keeps
what they gave, `check_receipt` judges it by what a verifier trusts, and `times` gives the interval of verified records.

>>> from blockchaintracer.extras.witness.witness_receipt import StampedSubject, stamped_tree
>>> subjects = [StampedSubject.of_text(f"example:{number}") for number in range(3)]
>>> root, branches = stamped_tree([subject.sha256 for subject in subjects])
>>> all(branch.root(subject.sha256) == root for subject, branch in zip(subjects, branches))
True
"""

from blockchaintracer.extras.witness.add_witnesses import lab_of_chain as lab_of_chain
from blockchaintracer.extras.witness.add_witnesses import lacking as lacking
from blockchaintracer.extras.witness.add_witnesses import own_subjects as own_subjects
from blockchaintracer.extras.witness.add_witnesses import plain_files as plain_files
from blockchaintracer.extras.witness.add_witnesses import record_receipts as record_receipts
from blockchaintracer.extras.witness.add_witnesses import require_there as require_there
from blockchaintracer.extras.witness.kept_receipts import all_kept as all_kept
from blockchaintracer.extras.witness.kept_receipts import keep_receipts as keep_receipts
from blockchaintracer.extras.witness.kept_receipts import kept_receipts as kept_receipts
from blockchaintracer.extras.witness.record_times import bundle_times as bundle_times
from blockchaintracer.extras.witness.record_times import receipt_types as receipt_types
from blockchaintracer.extras.witness.record_times import times as times
from blockchaintracer.extras.witness.record_times import times_of_subjects as times_of_subjects
from blockchaintracer.extras.witness.stamping import Stamped as Stamped
from blockchaintracer.extras.witness.stamping import check_receipt as check_receipt
from blockchaintracer.extras.witness.stamping import stamp as stamp
from blockchaintracer.extras.witness.stamping import upgrade_receipts as upgrade_receipts
from blockchaintracer.extras.witness.witness_receipt import StampedSubject as StampedSubject
from blockchaintracer.extras.witness.witness_receipt import WitnessKind as WitnessKind
from blockchaintracer.extras.witness.witness_receipt import WitnessReceipt as WitnessReceipt
from blockchaintracer.extras.witness.witness_settings import AuthoritySetting as AuthoritySetting
from blockchaintracer.extras.witness.witness_settings import WitnessSettings as WitnessSettings
from blockchaintracer.extras.witness.witness_settings import WitnessTrust as WitnessTrust
from blockchaintracer.extras.witness.witness_time import RecordTimes as RecordTimes
from blockchaintracer.extras.witness.witness_time import TimeStanding as TimeStanding
from blockchaintracer.extras.witness.witness_time import WitnessTime as WitnessTime
