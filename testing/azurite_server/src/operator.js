// Runs Azurite and does what lines of the input say. Arguments: Azurite's main script, the key.
const crypto = require("crypto");
const [, main, key] = process.argv;
const ACCOUNT = "devstoreaccount1";
const VERSION = "2022-11-02";

const sign = (text) =>
  crypto.createHmac("sha256", Buffer.from(key, "base64")).update(text, "utf8").digest("base64");

// Authorization with a shared key: twelve lines of headers, of which none is set, then the rest.
async function makeContainer(name, endpoint) {
  const date = new Date().toUTCString();
  const text =
    "PUT" + "\n".repeat(12) + `x-ms-date:${date}\nx-ms-version:${VERSION}\n` +
    `/${ACCOUNT}/${ACCOUNT}/${name}\nrestype:container`;
  const headers = {
    "x-ms-date": date,
    "x-ms-version": VERSION,
    authorization: `SharedKey ${ACCOUNT}:${sign(text)}`,
  };
  const answer = await fetch(`${endpoint}/${name}?restype=container`, { method: "PUT", headers });
  return answer.status;
}

// A signature for the account, for blobs, from always to a far day.
function signature(rights) {
  const end = "2099-01-01T00:00:00Z";
  const text = [ACCOUNT, rights, "b", "sco", "", end, "", "", VERSION, "", ""].join("\n");
  const fields = { sv: VERSION, ss: "b", srt: "sco", sp: rights, se: end, sig: sign(text) };
  return new URLSearchParams(fields).toString();
}

const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const [what, value, endpoint] = line.split(" ");
  const answer = what === "container" ? await makeContainer(value, endpoint) : signature(value);
  console.log("answer " + answer);
});
lines.on("close", () => process.exit(0));

const options = ["--inMemoryPersistence", "--blobPort", "0", "--silent", "--disableTelemetry"];
process.argv = ["node", main, ...options];
require(require("path").resolve(main));
