"""The formats of files that the core does not read. docs/formats.md describes them."""

from __future__ import annotations

from blockchaintracer.core.formats import CHAIN, HASHED, PROVEN, RENEWED, SIGNED, Format

# for others
BATCH = Format("batch")
BOUNTY = Format("bounty", algorithms=SIGNED)
GROUP = Format("group")
DISCLOSURE = Format("disclosure", algorithms=HASHED)
ARCHIVE = Format("registry-archive", algorithms=CHAIN)
RENEWAL_TREE = Format("renewal-tree", algorithms=RENEWED)
SIGNED_WRITES = Format("signed-writes", algorithms=SIGNED)
INVITATION = Format("invitation", algorithms=SIGNED)
DEPLOYMENTS = Format("deployments", algorithms=("keccak-256",))
WITNESSES = Format("witnesses")
WITNESS_OPENTIMESTAMPS = Format("witness-opentimestamps", algorithms=HASHED)
WITNESS_RFC3161 = Format("witness-rfc3161", algorithms=("cms", *HASHED, "x509"))
WITNESS_REGISTRY = Format("witness-registry", algorithms=PROVEN)
WITNESS_SETTINGS = Format("witness-settings")
RUN_DOCUMENT = Format("run-document")
CLAIMS = Format("results")
IDENTITY_PAGE = Format("identity-page")
IDENTITIES = Format("identities", algorithms=CHAIN)

# the lab's own
HOME = Format("home")
OUTBOX = Format("outbox")
INDEX = Format("index", version=8, oldest=8)
KEYSTORE = Format("web3-keystore", version=3, oldest=3)
BACKUP = Format("backup", algorithms=("age-encryption.org/v1",))
SEAL = Format("seal", algorithms=SIGNED)
PRIVATE_VALUES = Format("private-values", algorithms=HASHED)
PRIVATE_CONTENT = Format("private-content")
ENCRYPTION_NOTE = Format("encryption-note", algorithms=HASHED)

# objects of the store that a manifest or a digest names
TRAINING_STATE = Format("training-state")
TEST_REPORT = Format("test-report")
MLFLOW_RUN = Format("mlflow-run")
ISSUER_KEY = Format("issuer-key")
COMMUNITY = Format("community")
KEPT_COMMUNITY = Format("kept-community")
SCORE = Format("score")
REPORT = Format("report")
