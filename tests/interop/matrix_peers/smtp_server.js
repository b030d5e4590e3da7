// npm smtp-server: SMTP, SMTP under TLS and LMTP, as the JSON argument says.
// Keeps what it gets as files.
'use strict';

const fs = require('fs');
const { SMTPServer } = require('smtp-server');

const order = JSON.parse(process.argv[2]);
let serial = 0;

function keep(stream, session, done) {
    const path = `${order.folder}/${++serial}`;
    const chunks = [];

    stream.on('data', chunk => chunks.push(chunk));
    stream.on('end', () => {
        const mail = (session.envelope.dsn || {});
        const rcpt = (session.envelope.rcptTo[0].dsn || {});

        fs.writeFileSync(`${path}.json`, JSON.stringify({
            dsn: {
                ret: mail.ret,
                envid: mail.envid,
                notify: [].concat(rcpt.notify || []).join(','),
                orcpt: rcpt.orcpt
            }
        }));
        fs.writeFileSync(`${path}.part`, Buffer.concat(chunks));
        fs.renameSync(`${path}.part`, `${path}.eml`);
        done();
    });
}

function login(auth, session, done) {
    const good = auth.method === 'XOAUTH2'
        ? auth.accessToken === order.token
        : auth.password === order.password;

    if (!good || auth.username !== order.user)
        return done(new Error('no such user'));
    done(null, { user: auth.username });
}

const common = {
    name: order.name,
    cert: fs.readFileSync(order.identity[0]),
    key: fs.readFileSync(order.identity[1]),
    authOptional: true,
    authMethods: ['PLAIN', 'LOGIN', 'XOAUTH2'],
    disableReverseLookup: true,
    hideDSN: false,
    hideENHANCEDSTATUSCODES: false,
    hideREQUIRETLS: false,
    onAuth: login,
    onData: keep
};

[{}, { secure: true }, { lmtp: true }].forEach((more, i) => {
    new SMTPServer(Object.assign({}, common, more))
        .listen(order.ports[i], '127.0.0.1');
});
