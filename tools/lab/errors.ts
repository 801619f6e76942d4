/** What a person can mend: one line, exit code 2. May import nothing. */
export class LabError extends Error {}
