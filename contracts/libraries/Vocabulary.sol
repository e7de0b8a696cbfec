// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice The numbers that records are made of. Numbers from 128 are the lab's own; those between are reserved.
library Vocabulary {
    uint8 internal constant KIND_DATASET = 1;
    uint8 internal constant KIND_MODEL = 2;
    uint8 internal constant KIND_RUN = 3;
    uint8 internal constant KIND_RESULT = 4;
    uint8 internal constant KIND_PLAN = 5;
    uint8 internal constant KIND_SOFTWARE = 6;
    uint8 internal constant KIND_ENVIRONMENT = 7;
    uint8 internal constant KIND_DOCUMENT = 8;
    uint8 internal constant KIND_DEPLOYMENT = 9;
    uint8 internal constant KIND_REFERENCE = 10;
    uint8 internal constant KIND_IDENTITY_CLAIM = 11;
    uint8 internal constant KIND_WITNESS = 12;
    uint8 internal constant KIND_RENEWAL = 13;
    uint8 internal constant KIND_EVALUATION = 14;

    uint8 internal constant RELATION_TRAINED_ON = 1;
    uint8 internal constant RELATION_VALIDATED_ON = 2;
    uint8 internal constant RELATION_EVALUATED_ON = 3;
    uint8 internal constant RELATION_DERIVED_FROM = 4;
    uint8 internal constant RELATION_FINE_TUNED_FROM = 5;
    uint8 internal constant RELATION_GENERATED_BY = 6;
    uint8 internal constant RELATION_USES = 7;
    uint8 internal constant RELATION_REPRODUCES = 8;
    uint8 internal constant RELATION_SUPERSEDES = 9;
    uint8 internal constant RELATION_EVALUATES = 10;
    uint8 internal constant RELATION_CONFIRMS = 11;
    uint8 internal constant RELATION_SUPPORTS = 12;
    uint8 internal constant RELATION_WITNESSES = 13;
    uint8 internal constant RELATION_RENEWS = 14;

    uint8 internal constant SUBJECT_FILE = 1;
    uint8 internal constant SUBJECT_FOLDER = 2;
    uint8 internal constant SUBJECT_COMMITMENT = 3;
    uint8 internal constant SUBJECT_IDENTIFIER = 4;
    uint8 internal constant SUBJECT_STATEMENT = 5;
    uint8 internal constant SUBJECT_TREE = 6;

    uint8 private constant FIRST_OWN = 128;
    /// @dev Reproduces, Supersedes, Evaluates, Confirms, Supports, Witnesses.
    uint8 private constant FIRST_ABOUT = RELATION_REPRODUCES;
    uint8 private constant LAST_ABOUT = RELATION_WITNESSES;

    function isKind(uint8 kind) internal pure returns (bool) {
        return _isFrom1To(KIND_EVALUATION, kind) || kind >= FIRST_OWN;
    }

    function isRelation(uint8 relation) internal pure returns (bool) {
        return _isFrom1To(RELATION_RENEWS, relation) || relation >= FIRST_OWN;
    }

    function isSubjectType(uint8 subjectType) internal pure returns (bool) {
        return _isFrom1To(SUBJECT_TREE, subjectType) || subjectType >= FIRST_OWN;
    }

    /// @dev Whether a record in this relation speaks about its parent and does not rest on it. A Renewal rests on what
    /// it renews, and so does a record in a relation of the lab's own: nothing here knows what that means.
    function isAbout(uint8 relation) internal pure returns (bool) {
        return FIRST_ABOUT <= relation && relation <= LAST_ABOUT;
    }

    /// @dev One comparison: 0 wraps around to the largest number.
    function _isFrom1To(uint8 last, uint8 number) private pure returns (bool) {
        unchecked {
            return uint256(number) - 1 < last;
        }
    }
}
