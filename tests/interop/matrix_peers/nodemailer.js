// nodemailer as a client: brings one message, as the JSON argument says.
'use strict';

const fs = require('fs');
const nodemailer = require('nodemailer');

const order = JSON.parse(process.argv[2]);

order.transport.tls.ca = fs.readFileSync(order.ca);
nodemailer
    .createTransport(order.transport)
    .sendMail({
        envelope: Object.assign(order.envelope, order.dsn && { dsn: order.dsn }),
        dsn: order.dsn,
        raw: fs.readFileSync(order.message)
    })
    .catch(err => {
        console.error(err.message);
        process.exitCode = 1;
    });
