// Module hooks: "cloudflare:email", and .js files that are modules whatever
// package.json says, as the service's bundler has them.
const EMAIL = new URL('./cloudflare-email.js', import.meta.url).href;

export async function resolve(specifier, context, next) {
    if (specifier === 'cloudflare:email')
        return { url: EMAIL, shortCircuit: true, format: 'module' };
    if (specifier.startsWith('cloudflare:'))
        throw new Error(`${specifier}: not in this host, expected cloudflare:email`);
    const found = await next(specifier, context);
    if (found.url.startsWith('file:') && found.url.endsWith('.js') &&
        !found.url.includes('/node_modules/'))
        return { ...found, format: 'module' };
    return found;
}
