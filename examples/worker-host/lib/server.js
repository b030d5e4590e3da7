// The forwarder's side: frames on a Unix socket (doc/handlers.md).
import fs from 'node:fs';
import net from 'node:net';

const HEADER_MAX = 1 << 20;
const MESSAGE_MAX = 1 << 30;

/** Frames out of pieces. */
class Frames {
    #held = [];
    #length = 0;
    #header = null;

    #take(n) {
        const all = Buffer.concat(this.#held, this.#length);
        this.#held = [all.subarray(n)];
        this.#length -= n;
        return all.subarray(0, n);
    }

    #peekLength() {
        if (this.#held[0].length < 4)
            this.#held = [Buffer.concat(this.#held, this.#length)];
        return this.#held[0].readUInt32BE(0);
    }

    * feed(piece) {
        this.#held.push(piece);
        this.#length += piece.length;
        for (;;) {
            if (this.#header === null) {
                if (this.#length < 4)
                    return;
                const n = this.#peekLength();
                if (n > HEADER_MAX)
                    throw new Error('a header that is too long');
                if (this.#length < 4 + n)
                    return;
                this.#header = JSON.parse(this.#take(4 + n).subarray(4).toString('utf8'));
                if (!Number.isSafeInteger(this.#header.size) || this.#header.size < 0 ||
                    this.#header.size > MESSAGE_MAX)
                    throw new Error('a header without a size');
            }
            if (this.#length < this.#header.size)
                return;
            const header = this.#header;
            this.#header = null;
            yield [header, Buffer.from(this.#take(header.size))];
        }
    }
}

/** The steps of one event. */
class Steps {
    #waits = new Map();
    #last = 0;
    #isOver = false;

    constructor(send, id) {
        this.send = send;
        this.id = id;
    }

    take(action) {
        if (this.#isOver)
            return Promise.reject(new Error('the event is over'));
        const step = ++this.#last;
        return new Promise((resolve, reject) => {
            this.#waits.set(step, { resolve, reject });
            this.send({ id: this.id, step, action });
        });
    }

    hear(outcome) {
        this.#waits.get(outcome.step)?.resolve(outcome);
        this.#waits.delete(outcome.step);
    }

    close() {
        this.#isOver = true;
        for (const { reject } of this.#waits.values())
            reject(new Error('the event is over'));
        this.#waits.clear();
    }
}

class Connection {
    #steps = new Map(); // of the events under way
    #frames = new Frames();

    constructor(socket, handle) {
        this.socket = socket;
        this.handle = handle;
        socket.on('data', (piece) => this.#hear(piece));
        socket.on('error', () => {});
        socket.on('close', () => {
            for (const steps of this.#steps.values())
                steps.close();
            this.#steps.clear();
        });
    }

    #send(value) {
        const text = Buffer.from(JSON.stringify(value), 'utf8');
        const length = Buffer.alloc(4);
        length.writeUInt32BE(text.length);
        if (!this.socket.destroyed)
            this.socket.write(Buffer.concat([length, text]));
    }

    #hear(piece) {
        try {
            for (const [header, message] of this.#frames.feed(piece)) {
                if (header.event !== undefined)
                    void this.#run(header, message);
                else
                    this.#steps.get(header.id)?.hear(header);
            }
        } catch (error) {
            this.socket.destroy(error);
        }
    }

    async #run({ id, event }, message) {
        const steps = new Steps((value) => this.#send(value), id);
        this.#steps.set(id, steps);
        let answer = { actions: [] };
        try {
            await this.handle(event, message, steps);
        } catch (error) {
            answer = { error: String(error?.message ?? error).slice(0, 400)
                .replace(/\p{Surrogate}/gu, '?') };
        }
        steps.close();
        this.#steps.delete(id);
        this.#send({ id, ...answer });
    }
}

function isAlive(path) {
    return new Promise((resolve) => {
        const socket = net.connect(path);
        socket.on('connect', () => {
            socket.destroy();
            resolve(true);
        });
        socket.on('error', () => resolve(false));
    });
}

/** Listen on a path; handle(event, message, steps) is called for each event. */
export async function listen(path, handle) {
    if (fs.existsSync(path)) {
        if (await isAlive(path))
            throw new Error(`${path}: somebody listens there`);
        fs.unlinkSync(path);
    }
    const sockets = new Set();
    let running = 0;
    let whenIdle = null;
    const server = net.createServer((socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
        new Connection(socket, async (...event) => {
            running++;
            try {
                return await handle(...event);
            } finally {
                running--;
                // Its answer is written first.
                setImmediate(() => running === 0 && whenIdle?.());
            }
        });
    });
    await new Promise((resolve, reject) => {
        server.on('error', reject);
        server.listen(path, resolve);
    });
    return {
        /** Take no more, end what runs, hang up. */
        async drain(limitMs) {
            server.close();
            if (running > 0)
                await new Promise((resolve) => {
                    const timer = setTimeout(resolve, limitMs);
                    whenIdle = () => {
                        clearTimeout(timer);
                        resolve();
                    };
                });
            for (const socket of sockets)
                socket.end();
        },
    };
}
