// What a wallet is shown, as an application would write it from the NatSpec.
export const types = {
  Link: [
    { name: "parent", type: "bytes32" },
    { name: "relation", type: "uint8" },
  ],
  Record: [
    { name: "group", type: "uint32" },
    { name: "author", type: "address" },
    { name: "subjectType", type: "uint8" },
    { name: "subject", type: "bytes32" },
    { name: "kind", type: "uint8" },
    { name: "manifest", type: "bytes32" },
    { name: "parents", type: "Link[]" },
  ],
  RecordAuthorization: [
    { name: "record", type: "Record" },
    { name: "deadline", type: "uint40" },
  ],
  AttestationAuthorization: [
    { name: "group", type: "uint32" },
    { name: "attester", type: "address" },
    { name: "recordId", type: "bytes32" },
    { name: "verdict", type: "uint8" },
    { name: "evidence", type: "bytes32" },
    { name: "version", type: "uint32" },
    { name: "deadline", type: "uint40" },
  ],
  Invitation: [
    { name: "group", type: "uint32" },
    { name: "inviter", type: "address" },
    { name: "account", type: "address" },
    { name: "roles", type: "uint32" },
    { name: "until", type: "uint40" },
    { name: "inviterVersion", type: "uint32" },
    { name: "version", type: "uint32" },
    { name: "deadline", type: "uint40" },
  ],
  RecordCommitment: [
    { name: "recordId", type: "bytes32" },
    { name: "salt", type: "bytes32" },
  ],
  VerdictCommitment: [
    { name: "group", type: "uint32" },
    { name: "attester", type: "address" },
    { name: "recordId", type: "bytes32" },
    { name: "verdict", type: "uint8" },
    { name: "evidence", type: "bytes32" },
    { name: "salt", type: "bytes32" },
  ],
};
