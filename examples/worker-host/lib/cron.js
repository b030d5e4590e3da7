// Cron triggers as the service has them: five fields, UTC, 1 is Sunday.
const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT',
    'NOV', 'DEC'];
const DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const FIELDS = [
    { name: 'minute', least: 0, most: 59, names: [] },
    { name: 'hour', least: 0, most: 23, names: [] },
    { name: 'day of the month', least: 1, most: 31, names: [] },
    { name: 'month', least: 1, most: 12, names: MONTHS },
    { name: 'day of the week', least: 1, most: 7, names: DAYS },
];
const MINUTE_MS = 60000;
const YEARS = 5 * 366;

function numberOf(text, field) {
    const at = field.names.indexOf(text.toUpperCase());
    const n = at >= 0 ? at + field.least : /^\d{1,2}$/.test(text) ? Number(text) : NaN;
    if (!(n >= field.least && n <= field.most))
        throw new Error(`${field.name} "${text}", expected ${field.least} to ${field.most}`);
    return n;
}

/** The numbers that a field allows. */
function readField(text, field) {
    const set = new Set();
    for (const part of text.split(',')) {
        const [range, step, ...more] = part.split('/');
        const by = step === undefined ? 1 : Number(step);
        if (more.length > 0 || !Number.isInteger(by) || by < 1 || range === '')
            throw new Error(`${field.name} "${part}", expected as in 5, 1-5, */10`);
        const [from, to, ...rest] = range === '*' ? [] : range.split('-');
        if (rest.length > 0)
            throw new Error(`${field.name} "${part}", expected as in 5, 1-5, */10`);
        const first = from === undefined ? field.least : numberOf(from, field);
        const last = from === undefined || (to === undefined && step !== undefined)
            ? field.most : to === undefined ? first : numberOf(to, field);
        if (last < first)
            throw new Error(`${field.name} "${part}", expected a range that goes up`);
        for (let n = first; n <= last; n += by)
            set.add(n);
    }
    return set;
}

/** A text as something that knows its next time. */
export function parseCron(text) {
    const parts = text.trim().split(/\s+/);
    if (parts.length !== 5)
        throw new Error(`"${text}", expected five fields`);
    const [minutes, hours, days, months, weekdays] =
        parts.map((part, i) => readField(part, FIELDS[i]));
    const isAnyDay = parts[2] === '*';
    const isAnyWeekday = parts[4] === '*';
    /** As cron has it: of two that are both told, one is enough. */
    const isDay = (date) => {
        const byDay = days.has(date.getUTCDate());
        const byWeek = weekdays.has(date.getUTCDay() + 1);
        return isAnyDay || isAnyWeekday ? byDay && byWeek : byDay || byWeek;
    };
    return {
        text,
        /** The first time after that one, in ms; null: never. */
        next(afterMs) {
            const date = new Date(Math.floor(afterMs / MINUTE_MS) * MINUTE_MS + MINUTE_MS);
            for (let day = 0; day < YEARS; day++) {
                if (months.has(date.getUTCMonth() + 1) && isDay(date)) {
                    const today = date.getUTCDate();
                    while (date.getUTCDate() === today) {
                        if (hours.has(date.getUTCHours()) && minutes.has(date.getUTCMinutes()))
                            return date.getTime();
                        date.setTime(date.getTime() + MINUTE_MS);
                    }
                } else {
                    date.setUTCHours(24, 0, 0, 0);
                }
            }
            return null;
        },
    };
}

const LONGEST_MS = 0x7fffffff;

/** Call run(cron, timeMs) whenever one is due; returns a function that ends it. */
export function schedule(crons, run) {
    let timer = null;
    const arm = () => {
        const now = Date.now();
        const due = crons.map((cron) => [cron.next(now), cron])
            .filter(([at]) => at !== null);
        if (due.length === 0)
            return;
        const first = Math.min(...due.map(([at]) => at));
        timer = setTimeout(() => {
            // Long waits come in pieces, and timers may be early.
            if (Date.now() >= first) {
                for (const [, cron] of due.filter(([at]) => at === first))
                    run(cron, first);
            }
            arm();
        }, Math.min(first - now, LONGEST_MS));
    };
    arm();
    return () => clearTimeout(timer);
}
