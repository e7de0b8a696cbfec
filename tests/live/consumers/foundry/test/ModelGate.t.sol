// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ModelGate} from "../contracts/ModelGate.sol";
import {ILabRegistry} from "@blockchaintracer/contracts/interfaces/ILabRegistry.sol";
import {RecordKey} from "@blockchaintracer/contracts/interfaces/IRecords.sol";

interface Vm {
    function envAddress(string calldata name) external view returns (address);
    function envBytes(string calldata name) external view returns (bytes memory);
    function writeFile(string calldata path, string calldata data) external;
    function toString(bytes memory value) external pure returns (string memory);
}

/// @notice Asks the gate on a fork of the devnet, and writes what came: a line for each question.
contract ModelGateTest {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    struct Question {
        uint32 trusted;
        RecordKey key;
    }

    function test_ask() external {
        ILabRegistry registry = ILabRegistry(VM.envAddress("REGISTRY"));
        Question[] memory questions = abi.decode(VM.envBytes("QUESTIONS"), (Question[]));
        string memory answers;
        for (uint256 i = 0; i < questions.length; ++i) {
            uint32[] memory trusted = new uint32[](1);
            trusted[0] = questions[i].trusted;
            ModelGate gate = new ModelGate(registry, trusted);
            bytes memory answer;
            try gate.deploy(questions[i].key) {
                answer = abi.encode(gate.model());
            } catch (bytes memory reason) {
                answer = abi.encodePacked(bytes4(reason));
            }
            answers = string.concat(answers, VM.toString(answer), "\n");
        }
        VM.writeFile("answers.txt", answers);
    }
}
