// npm smtp-server in its smallest setting: sink.js [CERT KEY].
"use strict";
const fs = require("fs");
const { SMTPServer } = require("smtp-server");

const [cert, key] = process.argv.slice(2);
const server = new SMTPServer({
    authOptional: true,
    disabledCommands: cert ? ["AUTH"] : ["AUTH", "STARTTLS"],
    disableReverseLookup: true,
    logger: false,
    cert: cert && fs.readFileSync(cert),
    key: key && fs.readFileSync(key),
    onData(stream, session, done) {
        stream.on("data", () => {});
        stream.on("end", () => done());
    },
});
server.listen(0, "127.0.0.1", () => {
    console.log(`ready 127.0.0.1:${server.server.address().port}`);
});
