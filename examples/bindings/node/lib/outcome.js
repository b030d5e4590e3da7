/**
 * A promise that knows whether anybody looks at it. What fails unseen is no
 * accident of the process: it makes the event fail.
 */
export class Outcome extends Promise {
    isWanted = false;
    failure = null;

    static get [Symbol.species]() {
        return Promise;
    }

    static of(run) {
        let outcome = null;
        outcome = new Outcome((resolve, reject) => {
            run(() => outcome.isWanted).then(resolve, reject);
        });
        super.prototype.then.call(outcome, undefined, (error) => {
            outcome.failure = error;
        });
        return outcome;
    }

    then(...how) {
        this.isWanted = true;
        return super.then(...how);
    }
}
