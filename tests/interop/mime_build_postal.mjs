// postal-mime's reading of built messages, for mime_build_peers.py: one JSON
// object a line. It gives attachments and the two texts, in no tree.
import fs from 'node:fs';
import PostalMime from 'postal-mime';

for (const path of process.argv.slice(2)) {
    const m = await new PostalMime().parse(fs.readFileSync(path));
    const people = (list) => (list ?? []).map((a) => [a.name, a.address]);
    console.log(JSON.stringify({
        subject: m.subject ?? '',
        field: m.headers.find((h) => h.key === 'x-text')?.value ?? '',
        from: people([m.from]),
        to: people(m.to),
        text: m.text ?? null,
        html: m.html ?? null,
        files: m.attachments.map((a) => [
            a.mimeType, a.filename ?? '',
            (a.contentId ?? '').replace(/[<>]/g, ''),
            Buffer.from(a.content).toString('hex')]),
    }));
}
