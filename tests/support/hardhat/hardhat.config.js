// nothing is compiled: the version is never looked for
module.exports = {
  solidity: "0.8.28",
  networks: { hardhat: { chainId: Number(process.env.CHAIN_ID), hardfork: "prague" } },
};
