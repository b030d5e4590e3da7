// Frees what was forgotten without close().
const tokens = new Set();
const registry = new FinalizationRegistry((token) => {
    tokens.delete(token);
    token.free();
});

/** Call free() when target is collected; free must not know it. */
export function whenForgotten(target, free) {
    const token = { free };
    tokens.add(token);
    registry.register(target, token, token);
    return token;
}

export function remember(token) {
    if (tokens.delete(token))
        registry.unregister(token);
}

// Node 18 turns for ever in a process that ends with clean-ups still to be done:
// they are tried, not allowed to run, and tried again.
process.once('exit', () => {
    for (const token of [...tokens])
        remember(token);
});
