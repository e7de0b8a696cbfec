// the compiler of this project in place of a download
const { subtask } = require("hardhat/config");
const { TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD } = require("hardhat/builtin-tasks/task-names");

const version = "0.8.37";
subtask(TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD, async () => ({
  compilerPath: process.env.SOLC,
  isSolcJs: false,
  version,
  longVersion: version,
}));

module.exports = {
  solidity: { version, settings: { evmVersion: "cancun" } },
  networks: { devnet: { url: process.env.RPC_URL } },
};
