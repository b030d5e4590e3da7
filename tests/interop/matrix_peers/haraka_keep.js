// A plugin of Haraka: everybody has a mailbox, messages become files.
'use strict';

const fs = require('fs');

let serial = 0;

exports.hook_rcpt = function (next) {
    next(OK);
};

exports.hook_queue = exports.hook_queue_outbound = function (next, connection) {
    const path = `${process.env.KEEP_FOLDER}/${++serial}`;
    const file = fs.createWriteStream(`${path}.part`);

    file.on('finish', () => {
        fs.renameSync(`${path}.part`, `${path}.eml`);
        next(OK);
    });
    connection.transaction.message_stream.pipe(file);
};
