/**
 * What the library says no by. code is its own word ("ONWARD_ESYNTAX", or
 * "E_DUPLICATE" of a refusal), or one of the binding: "CLOSED" (used after
 * close()), "VERSION" (the library is older than the binding), "NOT_FOUND" (no
 * library, or no declarations), "CALLBACK" (cause has what was thrown).
 */
export class OnwardError extends Error {
    constructor(code, message, options) {
        super(message, options);
        this.name = 'OnwardError';
        this.code = code;
    }
}

/** A handler's action that is refused: code is the library's word for it. */
export class OnwardRefusal extends OnwardError {
    constructor(code, text, what) {
        super(code, what === '' ? text : `${text}: ${what}`);
        this.name = 'OnwardRefusal';
        /** The address, the field, or what else it is about. */
        this.what = what;
    }
}
