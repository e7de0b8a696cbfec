// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILabRegistry} from "../../interfaces/ILabRegistry.sol";
import {IRecords} from "../../interfaces/IRecords.sol";
import {EASAttestation, ISchemaResolver} from "../../interfaces/ISchemaResolver.sol";
import {ProvenanceConsumer} from "./ProvenanceConsumer.sol";

/// @title Attestations of EAS about records that stand
/// @notice The resolver of schemas whose first field is `bytes32 record`, a record's id; what follows is the schema's.
/// The id is enough, because this asks nothing about the record but whether it stands.
/// @dev It stood when the attestation was made. Whoever reads the attestation later asks the registry again. Anyone
/// can attest: whose word counts is for the reader to say.
contract RecordResolver is ISchemaResolver, ProvenanceConsumer {
    /// @notice The Ethereum Attestation Service that may ask.
    address public immutable eas;

    modifier onlyEAS() {
        if (msg.sender != eas) revert NotEAS(msg.sender);
        _;
    }

    constructor(ILabRegistry registry_, address eas_) ProvenanceConsumer(registry_) {
        if (eas_.code.length == 0) revert NoEAS(eas_);
        eas = eas_;
    }

    /// @inheritdoc ISchemaResolver
    function attest(EASAttestation calldata attestation) external view onlyEAS returns (bool) {
        _requireRecordOf(attestation);
        return true;
    }

    /// @inheritdoc ISchemaResolver
    function multiAttest(EASAttestation[] calldata attestations, uint256[] calldata)
        external
        view
        onlyEAS
        returns (bool)
    {
        for (uint256 i = 0; i < attestations.length; ++i) {
            _requireRecordOf(attestations[i]);
        }
        return true;
    }

    /// @inheritdoc ISchemaResolver
    function revoke(EASAttestation calldata) external view onlyEAS returns (bool) {
        return true;
    }

    /// @inheritdoc ISchemaResolver
    function multiRevoke(EASAttestation[] calldata, uint256[] calldata) external view onlyEAS returns (bool) {
        return true;
    }

    /// @inheritdoc ProvenanceConsumer
    function _usedInterfaces() internal pure override returns (bytes4[] memory ids) {
        ids = new bytes4[](1);
        ids[0] = type(IRecords).interfaceId;
    }

    /// @inheritdoc ISchemaResolver
    function isPayable() external pure returns (bool) {
        return false;
    }

    function _requireRecordOf(EASAttestation calldata attestation) private view {
        bytes calldata data = attestation.data;
        if (data.length < 32) revert RecordMissing(data.length);
        _requireStanding(bytes32(data[:32]));
    }
}
