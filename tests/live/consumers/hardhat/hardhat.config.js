// the compiler of this project in place of a download
export default { solidity: { version: "0.8.37", path: process.env.SOLJSON } };
