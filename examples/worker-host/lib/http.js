// Requests of HTTP, as fetch() has them.
import http from 'node:http';

const BODY_MAX = 10 * 1024 * 1024;
/** Requests under way: each may hold a body, and a session of the forwarder. */
const REQUESTS_MAX = 32;

async function bodyOf(request) {
    const pieces = [];
    let length = 0;
    for await (const piece of request) {
        length += piece.length;
        if (length > BODY_MAX)
            throw Object.assign(new Error('too large'), { status: 413 });
        pieces.push(piece);
    }
    return length === 0 ? undefined : Buffer.concat(pieces);
}

/** Each Set-Cookie. Node 18 joins them by a comma, as dates have one, too: what
 * begins another is a name and a sign of equality. */
function cookiesOf(headers) {
    return headers.getSetCookie?.() ??
        (headers.get('set-cookie')?.split(/, (?=[^\s,;=]+=)/) ?? []);
}

async function answer(handle, request, response, base) {
    const body = await bodyOf(request);
    const headers = new Headers();
    for (let i = 0; i < request.rawHeaders.length; i += 2)
        headers.append(request.rawHeaders[i], request.rawHeaders[i + 1]);
    // A path may begin with two slashes: that names no other host.
    const url = new URL(request.url.startsWith('/') ? base + request.url : request.url, base);
    const given = await handle(new Request(url, { method: request.method, headers,
        body: ['GET', 'HEAD'].includes(request.method) ? undefined : body }));
    response.statusCode = given.status;
    for (const [name, value] of given.headers) {
        if (name !== 'set-cookie')
            response.setHeader(name, value);
    }
    response.setHeader('Set-Cookie', cookiesOf(given.headers));
    response.end(Buffer.from(await given.arrayBuffer()));
}

/** Listen; handle(Request) gives a Response. */
export async function listenHttp({ host, port }, handle) {
    let underWay = 0;
    const server = http.createServer((request, response) => {
        const base = `http://${request.headers.host ?? 'localhost'}`;
        if (underWay === REQUESTS_MAX) {
            response.writeHead(503, { Connection: 'close', 'Retry-After': '1' }).end();
            return;
        }
        underWay++;
        answer(handle, request, response, base).catch((error) => {
            if (!response.headersSent)
                response.writeHead(error.status ?? 500);
            response.end();
        }).finally(() => {
            underWay--;
        });
    });
    await new Promise((resolve, reject) => {
        server.on('error', reject);
        server.listen(port, host, resolve);
    });
    return { server, url: `http://${host}:${server.address().port}` };
}
